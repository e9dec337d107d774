"""From names in code to the values that they stand for: each step of a chain is guarded by identity."""

from __future__ import annotations

import builtins
import importlib
import os
import sys
from types import FunctionType, ModuleType
from typing import Any

from . import captured, origin
from .graph import MISSING, Graph, Slot, cell_content
from .reach import ELEMENT, Chain

_BUILTINS = vars(builtins)


class Names:
    """The names that a function's code can see."""

    def __init__(self, function: FunctionType) -> None:
        self.globals = function.__globals__
        self.cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))

    def root(self, chain: Chain) -> tuple[Slot, Any] | None:
        """Returns the slot of a chain's first name and what it holds, `MISSING` if nothing."""
        if chain.kind == "global":
            return self._global(chain.name)
        if chain.kind == "free":
            cell = self.cells.get(chain.name)
            return None if cell is None else (("cell", cell, None), cell_content(cell))
        if chain.kind == "import":
            name = self.module_name(chain)
            return ("slot", sys.modules, name), sys.modules.get(name, MISSING)
        return None

    def _global(self, name: str) -> tuple[Slot, Any]:
        if name in self.globals:
            return ("slot", self.globals, name), self.globals[name]
        scope = self.globals.get("__builtins__", _BUILTINS)
        scope = vars(scope) if isinstance(scope, ModuleType) else scope
        if name in scope:
            return ("slot", scope, name), scope[name]
        return ("slot", self.globals, name), MISSING

    def module_name(self, chain: Chain) -> str:
        """Returns the full name of the module that an import statement binds."""
        name, level, is_from = chain.name
        if level:
            package = self.globals.get("__package__") or self.globals.get("__name__", "").rpartition(".")[0]
            name = ".".join(filter(None, [package.rsplit(".", level - 1)[0], name]))
        return name if is_from or level else name.partition(".")[0]


def edge(graph: Graph, names: Names, chain: Chain, reader: str, silent: bool = False) -> Any:
    """Returns the edge to what a chain stands for, and guards the way there."""
    text = _text(chain)
    if _is_ignored(graph, text):
        return ("ignored", text)
    if chain.kind == "import" and (edge_or_none := _import(graph, names, chain)) is not None:
        return edge_or_none
    found = names.root(chain)
    if found is None:
        return ("unknown", text)
    slot, value = found
    if graph.is_skipped(slot):
        return ("stored", text)
    if chain.kind == "global" and slot[1] is not names.globals:
        graph.guard("slot", names.globals, chain.name, MISSING)
    graph.guard_slot(slot, value)
    return _follow(graph, chain, value, slot, reader, silent)


def _text(chain: Chain) -> str:
    root = chain.name[0] if chain.kind == "import" else chain.name
    return ".".join([root, *(name for name in chain.attributes if name != ELEMENT)])


def _is_ignored(graph: Graph, text: str) -> bool:
    names = graph.skipped.names
    return bool(names) and any(text == name or text.startswith(f"{name}.") for name in names)


def _import(graph: Graph, names: Names, chain: Chain) -> Any:
    """Loads a module of the user that a body imports, and returns the edge to one that isn't followed."""
    name, is_from = chain.name[0], chain.name[2]
    bound = names.module_name(chain)
    wanted = bound if is_from or chain.name[1] else name
    kind = origin.kind_of_name(wanted)
    if kind == "absent":
        graph.guard("slot", sys.modules, bound, MISSING)
        return ("absent", wanted)
    if kind != "user":
        graph.version_of(wanted)
        return ("module", wanted, chain.attributes)
    try:
        importlib.import_module(wanted)
    except Exception as error:  # noqa: BLE001 - a module may raise anything; its import in the body raises again
        return ("fails", wanted, type(error).__name__)
    return None


def _follow(graph: Graph, chain: Chain, value: Any, slot: Slot, reader: str, silent: bool) -> Any:
    """Takes the attributes of a chain one by one, as far as they are plain look-ups."""
    done: list[str] = []
    edges: list[Any] = []
    foreign: ModuleType | None = None
    for name in chain.attributes:
        if foreign is None and isinstance(value, ModuleType) and origin.kind_of_module(value) != "user":
            foreign, done_before = value, len(done)
        step = None if name == ELEMENT else _step(graph, value, name)
        if step is None:
            break
        if isinstance(value, FunctionType):
            edges.append(graph.code_edge(value, ".".join([_root_name(chain), *done]), slot, reader))
        slot, value = step
        done.append(name)
        if graph.is_skipped(slot):
            return ("stored", _text(chain))
        graph.guard_slot(slot, value)
    text = ".".join([_root_name(chain), *done])
    if type(value) is str and text.endswith("__name__"):
        value = origin.lasting_name(value)
    if foreign is not None:
        last = _foreign_edge(graph, foreign, chain.attributes[done_before:], value, text, slot, reader)
    elif value is MISSING:
        return ("missing", text)
    else:
        last = graph.capture(value, text, slot, reader, strict=chain.kind == "free", silent=silent)
    return (*edges, last) if edges else last


def _foreign_edge(
    graph: Graph, root: ModuleType, names: tuple[str, ...], value: Any, text: str, slot: Slot, reader: str
) -> Any:
    """Returns the edge to what a name of an installed module stands for: the name, unless something else was put there.

    A submodule that is loaded when it is needed gives the same edge before and after.
    """
    graph.version_of(".".join((root.__name__, *names)))
    edge = ("foreign", root.__name__, names)
    if value is MISSING or isinstance(value, ModuleType) and origin.kind_of_module(value) != "user":
        return edge
    if captured.holds_code(value):
        return edge  # a registry, as `sys.modules` is: what it holds depends on what else is loaded
    if not captured.is_code(value):
        # The state of an installed module is its own affair, but for what the user sets by it.
        return (edge, graph.capture(value, text, slot, reader, silent=value is not os.environ))
    module, name = captured.attribute(value, "__module__"), captured.attribute(value, "__name__")
    is_usual = isinstance(module, str) and module.partition(".")[0] == root.__name__.partition(".")[0] and name == names[-1]
    return edge if is_usual else (edge, graph.code_edge(value, text, slot, reader))


def _root_name(chain: Chain) -> str:
    return str(chain.name[0] if chain.kind == "import" else chain.name)


def _step(graph: Graph, value: Any, name: str) -> tuple[Slot, Any] | None:
    """Returns where an attribute is kept and what it holds; ``None`` where the chain ends."""
    if isinstance(value, ModuleType):
        return _attribute_of_module(graph, value, name)
    if isinstance(value, type) or value is MISSING:
        return None
    if captured.is_own(value) or _is_computed(type(value), name) or type(value).__getattribute__ is not object.__getattribute__:
        return None if not isinstance(value, FunctionType) else _entry_of(value, name)
    return _entry_of(value, name)


def _entry_of(value: Any, name: str) -> tuple[Slot, Any] | None:
    entries = getattr(value, "__dict__", None)
    if type(entries) is dict and name in entries:
        return ("slot", entries, name), entries[name]
    return None


def _is_computed(cls: type, name: str) -> bool:
    """Returns whether a class computes an attribute, or keeps it elsewhere than in the instance."""
    return any(name in vars(base) and hasattr(type(vars(base)[name]), "__set__") for base in cls.__mro__)


def _attribute_of_module(graph: Graph, module: ModuleType, name: str) -> tuple[Slot, Any] | None:
    entries = vars(module)
    if name in entries:
        return ("slot", entries, name), entries[name]
    if origin.kind_of_module(module) != "user":
        return None
    graph.guard("slot", entries, name, MISSING)
    if "__getattr__" in entries or type(module) is not ModuleType:
        try:
            return ("attr", module, name), getattr(module, name)
        except Exception:  # noqa: BLE001 - the module's own __getattr__
            pass
    full = f"{module.__name__}.{name}"
    if full in sys.modules or "__path__" in entries:
        try:
            return ("slot", sys.modules, full), importlib.import_module(full)
        except Exception:  # noqa: BLE001 - no such submodule, or one that fails
            pass
    return ("slot", entries, name), MISSING


def resolve(names: Names, chain: Chain) -> tuple[Any, Any] | None:
    """Returns the object that holds a chain's last name, and the name's key in it, without guards; ``None`` if unknown."""
    found = names.root(chain)
    if found is None or found[1] is MISSING:
        return None if found is None else (found[0][1], found[0][2])
    slot, value = found
    for name in chain.attributes:
        entries = _entries(value)
        if entries is None:
            return None
        holder = value if isinstance(value, type) else entries
        slot, value = ("slot", holder, name), entries.get(name, MISSING)
    return slot[1], slot[2]


def value_of(names: Names, chain: Chain) -> Any:
    """Returns what a chain stands for, without guards; `MISSING` if that is unknown."""
    found = names.root(chain)
    if found is None:
        return MISSING
    value = found[1]
    for name in chain.attributes:
        entries = _entries(value)
        if entries is None:
            return MISSING
        value = entries.get(name, MISSING)
    return value


def _entries(value: Any) -> Any:
    if value is MISSING:
        return None
    entries = getattr(value, "__dict__", None)
    return entries if hasattr(entries, "get") else None
