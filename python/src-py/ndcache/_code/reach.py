"""What a code object reaches by name: globals, closures, imports, and the attributes that are taken of them.

A linear pass over the instructions keeps a stack of symbols, as the interpreter keeps a stack of values. Where it loses
track, a symbol becomes unknown: then a name counts as used as a whole, never as unused.

A local name is read as all that it ever stands for. What is changed by it is only what it stands for at that place: after
``w = TABLE`` and ``w = w.copy()`` it is a copy that ``w[0] = 1`` changes.
"""

from __future__ import annotations

import dis
import sys
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

#: Methods of estimators that replace all that an earlier one has found.
FITS = frozenset({"fit", "fit_transform", "fit_predict"})
#: Methods of the builtin containers, deques and arrays, and of estimators, that change the object.
MUTATORS = frozenset(
    "append extend insert add update pop popitem clear remove discard setdefault sort reverse appendleft extendleft "
    "popleft rotate move_to_end subtract fill put itemset resize difference_update intersection_update "
    "symmetric_difference_update __setitem__ __delitem__ __setattr__".split()
) | FITS
#: An element of a container instead of an attribute: a chain can't be followed further.
ELEMENT = "[]"

_METHOD_PAIR = sys.version_info >= (3, 12)
_NULL_ABOVE = sys.version_info >= (3, 13)
_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_ENDS = frozenset({"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE"})


@dataclass(frozen=True)
class Chain:
    """A name and the attributes taken of it: ``np.linalg.norm`` is ("global", "np", ("linalg", "norm")).

    ``kind`` is "global", "free" (a cell of the function), "param" or "import"; the name of an import is
    (module, level, whether names are taken from it).
    """

    kind: str
    name: Any
    attributes: tuple[str, ...] = ()

    def then(self, attribute: str) -> Chain:
        return self if self.attributes[-1:] == (ELEMENT,) else Chain(self.kind, self.name, (*self.attributes, attribute))

    def base(self) -> Chain:
        """Returns the chain up to the first element of a container."""
        attributes = self.attributes
        return Chain(self.kind, self.name, attributes[: attributes.index(ELEMENT)]) if ELEMENT in attributes else self


@dataclass(eq=False)
class Symbol:
    """A value on the stack that is known by name; the chains are alternatives. ``now`` are those that it may be here."""

    chains: tuple[Chain, ...]
    now: tuple[Chain, ...]


@dataclass(eq=False)
class Constant:
    value: Any


@dataclass
class Reach:
    """What a function's code reaches, nested functions included.

    ``bound`` has what only a local name was made for, ``read`` what is taken of parameters; ``mutated`` has the method that
    changes the object, ``None`` for an assignment to an element or attribute of it; ``names`` are all names in the code,
    texts that may be names among them.
    """

    uses: dict[Chain, None] = field(default_factory=dict)
    bound: dict[Chain, None] = field(default_factory=dict)
    read: dict[Chain, None] = field(default_factory=dict)
    stored: dict[Chain, None] = field(default_factory=dict)
    mutated: dict[tuple[Chain, str | None], None] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


def reach(code: CodeType) -> Reach:
    """Returns what the code reaches by name, in the order of its instructions."""
    found = Reach()
    names = {name: (Chain("free", name),) for name in code.co_freevars}
    _scan_nested(code, names, names, found, False)
    return found


def _parameters(code: CodeType) -> list[str]:
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
    return list(code.co_varnames[:count])


_Names = dict[str, tuple[Chain, ...]]


def _scan_nested(code: CodeType, outer: _Names, now: _Names, found: Reach, is_nested: bool) -> None:
    # Parameters of nested functions are their own, whatever their names.
    parameters = {name: () if is_nested else (Chain("param", name),) for name in _parameters(code)}
    names, now = {**outer, **parameters}, {**now, **parameters}
    # The code is scanned twice: a loop may read a local name before the instruction that binds it.
    first = _Scan(code, names, now, Reach(), {})
    first.run()
    scan = _Scan(code, names, now, found, first.now_at)
    scan.run()
    found.names.update(code.co_names)
    found.names.update(text for text in code.co_consts if isinstance(text, str) and text.isidentifier())
    cells = {*code.co_cellvars, *code.co_freevars}
    inner, inner_now = ({name: chains for name, chains in of.items() if name in cells} for of in (names, scan.shared))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _scan_nested(constant, inner, inner_now, found, True)


class _Scan:
    """One pass over the instructions of one code object."""

    def __init__(self, code: CodeType, names: _Names, now: _Names, found: Reach, now_at: dict[int, _Names]) -> None:
        self.code = code
        self.names = names
        #: What the names stand for here, where jumps lead to, and in nested functions that hold them.
        self.now = dict(now)
        self.now_at = now_at
        self.shared: _Names = {}
        self.found = found
        self.stack: list[Symbol | Constant | None] = []
        self.symbols: dict[Symbol, None] = {}
        self.at_target: dict[int, list[Symbol | Constant | None]] = {}
        self.is_dead = False
        #: What a call that was prepared gives: Python 3.11 does so by an instruction of its own.
        self.type_of: Symbol | None = None

    def run(self) -> None:
        for instruction in dis.get_instructions(self.code):
            self._step(instruction)
        for symbol in self.symbols:
            for chain in symbol.chains:
                (self.found.read if chain.kind == "param" else self.found.uses).setdefault(chain)

    def _step(self, instruction: dis.Instruction) -> None:
        if self.is_dead or instruction.is_jump_target:
            self.stack = list(self.at_target.get(instruction.offset, [] if self.is_dead else self.stack))
            self._arrive(instruction.offset)
            self.is_dead = False
        name = instruction.opname
        if instruction.opcode in _JUMPS:
            self._jump(instruction)
        elif handler := getattr(self, "_" + name.lower(), None):
            handler(instruction)
        elif name.startswith("LOAD_FAST"):
            self._load_names(instruction)
        elif name.startswith("STORE_FAST"):
            self._store_names(instruction)
        else:
            self._generic(instruction)
        self.is_dead = self.is_dead or name in _ENDS

    # -- the stack

    def _pop(self) -> Symbol | Constant | None:
        return self.stack.pop() if self.stack else None

    def _push(self, *values: Symbol | Constant | None) -> None:
        self.stack.extend(values)

    def _symbol(self, chains: tuple[Chain, ...], now: tuple[Chain, ...] | None = None) -> Symbol | None:
        if not chains:
            return None
        symbol = Symbol(chains, chains if now is None else now)
        self.symbols[symbol] = None
        return symbol

    def _of_name(self, name: str) -> Symbol | None:
        return self._symbol(self.names.get(name, ()), self.now.get(name, ()))

    def _jump(self, instruction: dis.Instruction) -> None:
        taken = list(self.stack)
        _apply(taken, _effect(instruction, True), False)
        self.at_target.setdefault(instruction.argval, taken)
        _join(self.now_at.setdefault(instruction.argval, {}), self.now)
        _apply(self.stack, _effect(instruction, False), False)

    def _arrive(self, offset: int) -> None:
        """Takes what the names stand for where jumps lead to. Where an exception does, they may stand for anything."""
        if self.is_dead:
            self.now = dict(self.now_at.get(offset, self.names))
        else:
            _join(self.now, self.now_at.get(offset, {}))

    def _generic(self, instruction: dis.Instruction) -> None:
        effect = _effect(instruction, None)
        only_pops = instruction.opname.startswith(("POP_", "STORE_", "RETURN_", "LIST_", "SET_", "DICT_", "MAP_"))
        _apply(self.stack, effect, not only_pops)

    # -- names

    def _load_global(self, instruction: dis.Instruction) -> None:
        symbol = self._symbol((Chain("global", instruction.argval),))
        has_null = bool((instruction.arg or 0) & 1)
        if has_null and not _NULL_ABOVE:
            self._push(None)
        self._push(symbol)
        if has_null and _NULL_ABOVE:
            self._push(None)

    def _load_name(self, instruction: dis.Instruction) -> None:
        name = instruction.argval
        chains = self.names.get(name) or (Chain("global", name),)
        self._push(self._symbol(chains, self.now.get(name, chains)))

    def _load_from_dict_or_globals(self, instruction: dis.Instruction) -> None:
        self._pop()
        self._load_name(instruction)

    def _load_deref(self, instruction: dis.Instruction) -> None:
        self._push(self._of_name(instruction.argval))

    _load_classderef = _load_deref

    def _load_from_dict_or_deref(self, instruction: dis.Instruction) -> None:
        self._pop()
        self._load_deref(instruction)

    def _load_closure(self, instruction: dis.Instruction) -> None:
        self._share(instruction.argval)

    def _share(self, name: str) -> None:
        """Gives a local name to a nested function, where it stands for what is bound to it later, too."""
        _join(self.shared, {name: self.now.get(name, ())})
        self._push(None)

    def _load_const(self, instruction: dis.Instruction) -> None:
        self._push(Constant(instruction.argval))

    _load_small_int = _load_const

    def _load_names(self, instruction: dis.Instruction) -> None:
        for name in _names(instruction):
            if name in self.code.co_cellvars or name in self.code.co_freevars:
                self._share(name)
            else:
                self._push(self._of_name(name))

    def _store_names(self, instruction: dis.Instruction) -> None:
        names = _names(instruction)
        if instruction.opname == "STORE_FAST_LOAD_FAST":
            self._bind(names[0])
            self._push(self._of_name(names[1]))
            return
        for name in names:
            self._bind(name)

    def _bind(self, name: str) -> None:
        """Binds a local name: from here on it stands for what was stored, too."""
        value = self._pop()
        self.now[name] = value.now if isinstance(value, Symbol) else ()
        if name in self.shared:
            _join(self.shared, {name: self.now[name]})
        if isinstance(value, Symbol):
            self.symbols.pop(value, None)
            self.found.bound.update(dict.fromkeys(chain for chain in value.chains if chain.kind != "param"))
            known = self.names.get(name, ())
            self.names[name] = known + tuple(chain for chain in value.chains if chain not in known)

    def _store_deref(self, instruction: dis.Instruction) -> None:
        chains = self.names.get(instruction.argval, ())
        free = [chain for chain in chains if chain.kind == "free" and chain.name == instruction.argval]
        if free:
            self._pop()
            self.found.stored.setdefault(free[0])
        else:
            self._bind(instruction.argval)

    def _store_name(self, instruction: dis.Instruction) -> None:
        """Binds a name of a class body: it stays as an attribute, so that the value counts as used."""
        value = self.stack[-1] if self.stack else None
        self._bind(instruction.argval)
        if isinstance(value, Symbol):
            self.symbols[value] = None

    def _store_global(self, instruction: dis.Instruction) -> None:
        self._pop()
        self.found.stored.setdefault(Chain("global", instruction.argval))

    def _delete_global(self, instruction: dis.Instruction) -> None:
        self.found.stored.setdefault(Chain("global", instruction.argval))

    # -- attributes, elements, imports

    def _extend(self, value: Symbol | Constant | None, attribute: str) -> Symbol | None:
        if not isinstance(value, Symbol):
            return None
        self.symbols.pop(value, None)
        if attribute in MUTATORS:
            self._mark_mutated(value, attribute)
        return self._symbol(_then(value.chains, attribute), _then(value.now, attribute))

    def _mark_mutated(self, value: Symbol | Constant | None, method: str | None = None) -> None:
        if isinstance(value, Symbol):
            for chain in value.now:
                self.found.mutated.setdefault((chain.base(), method))

    def _load_attr(self, instruction: dis.Instruction) -> None:
        self._push(self._extend(self._pop(), instruction.argval))
        if _METHOD_PAIR and (instruction.arg or 0) & 1:
            self._push(None)

    def _load_method(self, instruction: dis.Instruction) -> None:
        self._push(self._extend(self._pop(), instruction.argval), None)

    def _store_attr(self, instruction: dis.Instruction) -> None:
        value = self._pop()
        if isinstance(value, Symbol):
            self.symbols.pop(value, None)
            self._mark_mutated(value)
            for chain in value.now:
                self.found.stored.setdefault(chain.then(instruction.argval).base())
            for chain in value.chains:
                if chain.attributes:
                    self.found.uses.setdefault(chain.base())
        self._pop()

    def _delete_attr(self, instruction: dis.Instruction) -> None:
        self._push(None)
        self.stack[-1], below = (self.stack[-2], None) if len(self.stack) > 1 else (None, None)
        self._store_attr(instruction)

    def _binary_subscr(self, _instruction: dis.Instruction) -> None:
        self._pop()
        container = self._pop()
        is_known = isinstance(container, Symbol) and container.chains
        self._push(Symbol(_then(container.chains, ELEMENT), _then(container.now, ELEMENT)) if is_known else None)

    def _binary_op(self, instruction: dis.Instruction) -> None:
        if instruction.argrepr == "[]":
            return self._binary_subscr(instruction)
        self._pop()
        left = self._pop()
        # `w += 1` may change the object in place.
        is_same = isinstance(left, Symbol) and instruction.argrepr.endswith("=")
        return self._push(Symbol(left.chains, left.now) if is_same else None)

    def _store_subscr(self, _instruction: dis.Instruction) -> None:
        self._pop()
        self._mark_mutated(self._pop())
        self._pop()

    def _delete_subscr(self, _instruction: dis.Instruction) -> None:
        self._pop()
        self._mark_mutated(self._pop())

    def _store_slice(self, _instruction: dis.Instruction) -> None:
        self._pop()
        self._pop()
        self._mark_mutated(self._pop())
        self._pop()

    def _precall(self, instruction: dis.Instruction) -> None:
        self.type_of = self._type_of(instruction)
        self._generic(instruction)

    def _call(self, instruction: dis.Instruction) -> None:
        found, self.type_of = self.type_of or self._type_of(instruction), None
        self._generic(instruction)
        if found is not None:
            self.stack[-1] = found

    def _type_of(self, instruction: dis.Instruction) -> Symbol | None:
        """Returns ``self.__class__`` for ``type(self)``, before the call."""
        depth = 3 if _NULL_ABOVE else 2
        if instruction.arg != 1 or len(self.stack) < depth:
            return None
        callee, argument = self.stack[-depth], self.stack[-1]
        if not isinstance(argument, Symbol) or not isinstance(callee, Symbol) or callee.chains != (Chain("global", "type"),):
            return None
        chains, now = (tuple(chain for chain in of if chain.kind == "param") for of in (argument.chains, argument.now))
        return self._symbol(_then(chains, "__class__"), _then(now, "__class__"))

    def _import_name(self, instruction: dis.Instruction) -> None:
        names, level = self._pop(), self._pop()
        is_from = bool(isinstance(names, Constant) and names.value)
        depth = level.value if isinstance(level, Constant) and isinstance(level.value, int) else 0
        self._push(self._symbol((Chain("import", (instruction.argval, depth, is_from)),)))

    def _import_from(self, instruction: dis.Instruction) -> None:
        module = self.stack[-1] if self.stack else None
        if isinstance(module, Symbol):
            self.symbols.pop(module, None)
            self._push(self._symbol(_then(module.chains, instruction.argval), _then(module.now, instruction.argval)))
        else:
            self._push(None)

    def _copy(self, instruction: dis.Instruction) -> None:
        depth = instruction.arg or 1
        self._push(self.stack[-depth] if depth <= len(self.stack) else None)

    def _swap(self, instruction: dis.Instruction) -> None:
        depth = instruction.arg or 1
        if depth <= len(self.stack):
            self.stack[-1], self.stack[-depth] = self.stack[-depth], self.stack[-1]
        else:
            self.stack.clear()


def _then(chains: tuple[Chain, ...], attribute: str) -> tuple[Chain, ...]:
    return tuple(chain.then(attribute) for chain in chains)


def _join(names: _Names, more: _Names) -> None:
    """Lets the names stand for more."""
    for name, chains in more.items():
        known = names.get(name, ())
        names[name] = known + tuple(chain for chain in chains if chain not in known)


def _names(instruction: dis.Instruction) -> tuple[str, ...]:
    value = instruction.argval
    return value if isinstance(value, tuple) else (value,)


def _effect(instruction: dis.Instruction, jump: bool | None) -> int:
    argument = instruction.arg if instruction.opcode >= dis.HAVE_ARGUMENT else None
    try:
        return dis.stack_effect(instruction.opcode, argument, jump=jump)
    except ValueError:
        return -1


def _apply(stack: list[Any], effect: int, pushes_one: bool) -> None:
    """Changes the depth of the stack by ``effect``; what the instruction pushed is unknown."""
    if effect <= 0 and pushes_one:
        _apply(stack, effect - 1, False)
        stack.append(None)
    elif effect < 0:
        del stack[max(len(stack) + effect, 0) :]
    else:
        stack.extend([None] * effect)
