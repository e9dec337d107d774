"""The body of a code object as plain values, so that it can be digested.

Two bodies are equal exactly if the interpreter runs the same instructions. Positions, file names and docstrings don't
count, nor does what the compiler makes of line ends: instructions that do nothing, and pairs of instructions that it
joins if they are on one line. Constants count with their types.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

#: What the bytecode depends on beside the source: another minor version of Python compiles to other instructions.
INTERPRETER = (sys.implementation.name, sys.version_info[0], sys.version_info[1])

_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_TAKES_CONSTANT = frozenset(dis.hasconst)
_DOES_NOTHING = frozenset({"NOP", "EXTENDED_ARG", "CACHE", "NOT_TAKEN"})
# Flags that change what running the code does: *args, **kwargs, generator, coroutine, iterable coroutine, async generator.
_FLAGS = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200
# A class statement stores these in its namespace; they are text or positions.
_BOOKKEEPING = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})


def body(code: CodeType) -> tuple[Any, ...]:
    """Returns the code object as nested tuples of plain values."""
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _FLAGS)
    names = (code.co_name, code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars)
    places, instructions = _instructions(code)
    handlers = tuple((places[a], places[b], places[c], *rest) for a, b, c, *rest in exception_table(code.co_exceptiontable))
    return ("code", counts, names, instructions, handlers)


def _instructions(code: CodeType) -> tuple[list[int], tuple[Any, ...]]:
    """Returns for each code unit the index of its instruction, and the instructions."""
    kept: list[tuple[dis.Instruction, int]] = []
    places: list[int] = []
    for instruction in dis.get_instructions(code):
        places += [len(kept)] * (instruction.offset // 2 + 1 - len(places))
        if instruction.opname not in _DOES_NOTHING:
            parts = _parts(instruction.opname)
            kept.extend((instruction, part if len(parts) > 1 else -1) for part in range(len(parts)))
    places += [len(kept)] * (len(code.co_code) // 2 + 1 - len(places))
    return places, _cleared(code, [_plain(code, instruction, part, places) for instruction, part in kept])


def _parts(name: str) -> list[str]:
    """Returns the instructions that one is joined of: LOAD_FAST_LOAD_FAST is two."""
    for first in ("LOAD_FAST_BORROW", "LOAD_FAST", "STORE_FAST"):
        second = name.removeprefix(f"{first}_")
        if second != name and second in ("LOAD_FAST_BORROW", "LOAD_FAST", "STORE_FAST"):
            return [first, second]
    return [name]


def _plain(code: CodeType, instruction: dis.Instruction, part: int, places: list[int]) -> tuple[str, Any]:
    if part >= 0:
        return _parts(instruction.opname)[part], instruction.argval[part]
    if instruction.opcode in _TAKES_CONSTANT:
        return instruction.opname, constant(code.co_consts[instruction.arg or 0])
    if instruction.opcode in _JUMPS:
        return instruction.opname, places[instruction.argval // 2]
    if instruction.opname.startswith(("LOAD_FAST", "STORE_FAST", "DELETE_FAST")):
        return instruction.opname, instruction.argval
    return instruction.opname, instruction.arg


def _cleared(code: CodeType, instructions: list[tuple[str, Any]]) -> tuple[Any, ...]:
    """Returns the instructions without the texts and positions that a class statement stores."""
    for at, (name, argument) in enumerate(instructions[1:], 1):
        if name == "STORE_NAME" and code.co_names[argument] in _BOOKKEEPING and instructions[at - 1][0].startswith("LOAD_CONST"):
            instructions[at - 1] = ("LOAD_CONST", None)
    return tuple(instructions)


def exception_table(table: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yields (start, end, handler, depth and flag) of a code object's exception table, in code units."""
    numbers = _numbers(table)
    for start in numbers:
        length, target, depth = next(numbers), next(numbers), next(numbers)
        yield start, start + length, target, depth


def _numbers(table: bytes) -> Iterator[int]:
    """Yields the numbers of an exception table: six bits to a byte, the highest first, bit 6 says that more follow."""
    number = 0
    for byte in table:
        number = number << 6 | byte & 0x3F
        if not byte & 0x40:
            yield number
            number = 0


def constant(value: Any) -> Any:
    """Returns a constant of a code object as plain values that tell its type."""
    if isinstance(value, CodeType):
        return body(value)
    if isinstance(value, tuple):
        return ("tuple", *map(constant, value))
    if isinstance(value, frozenset):
        return ("frozenset", *sorted(map(constant, value), key=repr))
    if isinstance(value, complex):
        return ("complex", value.real, value.imag)
    if isinstance(value, slice):
        return ("slice", constant(value.start), constant(value.stop), constant(value.step))
    return ("...",) if value is Ellipsis else value
