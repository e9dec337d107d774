"""The graph of what a function's code reaches: parts with digests, guards, and values that are hashed on each call."""

from __future__ import annotations

import functools
import types
from collections import deque
from dataclasses import dataclass, field
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from .. import _core
from . import annotated, captured, objects, origin
from .body import INTERPRETER, body
from .captured import Way
from .reach import Reach, reach

MISSING = _core.MISSING

#: Where a value was found: ("slot", mapping, key), ("attr", object, name) or ("cell", cell, None).
Slot = tuple[str, Any, Any]


@dataclass
class Part:
    """Something that the key of each call depends on: a function, a class, a value, a version."""

    name: str
    kind: str
    content: list[Any] = field(default_factory=list)

    def digest(self) -> bytes:
        return digest((self.kind, self.content))


@dataclass
class Uncounted:
    """A name that code reads and that isn't part of the key, with the reason; ``of`` is the name that it is a part of."""

    name: str
    reader: str
    reason: str
    type_name: str
    is_warned: bool
    identity: int
    of: str


@dataclass
class Skipped:
    """What never counts: slots that reached code stores to, and containers that it changes, by identity."""

    slots: dict[tuple[int, Any], Any] = field(default_factory=dict)
    objects: dict[int, Any] = field(default_factory=dict)
    names: frozenset[str] = frozenset()

    def without(self, inputs: Skipped) -> Skipped:
        """Returns all of these but what counts nevertheless."""
        slots = {place: holder for place, holder in self.slots.items() if place not in inputs.slots}
        objects = {place: value for place, value in self.objects.items() if place not in inputs.objects}
        return Skipped(slots, objects, self.names)


_NOT_CHEAP = "it can't be told apart cheaply"
CHANGED = "reached code changes it"

# Code objects are told by identity: equal ones may differ in the types of their constants.
_BODIES: dict[int, tuple[Any, bytes]] = {}
_REACHES: dict[int, tuple[Any, Reach]] = {}


def digest(value: Any) -> bytes:
    """Returns the digest of nested plain values."""
    return _core.digest_value(value)


def body_digest(code: types.CodeType) -> bytes:
    """Returns the digest of a code object's body; each code object is examined once."""
    known = _BODIES.get(id(code))
    if known is None:
        known = _BODIES[id(code)] = (code, digest((INTERPRETER, body(code))))
    return known[1]


def reach_of(code: types.CodeType) -> Reach:
    """Returns what a code object reaches; each is examined once."""
    known = _REACHES.get(id(code))
    if known is None:
        known = _REACHES[id(code)] = (code, reach(code))
    return known[1]


class Graph:
    """Collects what a function reaches. `visit` gives the first object, `run` follows it through the user's code."""

    def __init__(self, skipped: Skipped, follow: bool = True) -> None:
        self.skipped = skipped
        self.follow = follow
        self.stored = Skipped()
        self.parts: dict[str, Part] = {}
        self.guards: list[tuple[Any, ...]] = []
        self.dynamic: list[tuple[str, str, Any, Any]] = []
        self.uncounted: list[Uncounted] = []
        #: Examined functions, with what they reach; those that are reached by a name of their own, not with their class or
        #: module; the names that those have there; whether a class or module is being examined.
        self.changes: list[tuple[Any, Reach, Any]] = []
        #: Methods of examined classes, with what they reach: (class, name there, method, reach, whether its first is the class).
        self.methods: list[tuple[type, str, Any, Reach, bool]] = []
        #: Classes that were examined.
        self.classes: list[type] = []
        #: Functions that run where a class is made, by identity.
        self.makers: dict[int, Any] = {}
        self.direct: set[int] = set()
        self.entry_names: dict[int, str] = {}
        self.is_whole = False
        #: Entries of classes that don't count: their names, and what is told of them.
        self.entries: list[tuple[str, Uncounted]] = []
        self._names: dict[int, tuple[Any, str]] = {}
        self._queue: deque[tuple[Any, Part]] = deque()
        self._guarded: set[tuple[Any, ...]] = set()
        self._dynamic_of: dict[tuple[str, int, Any], str] = {}
        #: Cached functions that have said what they depend on.
        self._heard: dict[int, Any] = {}
        self._rests: dict[int, tuple[objects.Rest, Any]] = {}

    # -- parts

    def part(self, name: str, kind: str) -> Part:
        """Returns a new part; a name that is taken already gets a number, in the order of discovery."""
        unique, number = name, 2
        while unique in self.parts:
            unique, number = f"{name} #{number}", number + 1
        self.parts[unique] = Part(unique, kind)
        return self.parts[unique]

    def node(self, value: Any, name: str, kind: str) -> tuple[str, str]:
        """Returns the edge to a function, class or module, which is examined later if it is new."""
        known = self._names.get(id(value))
        if known is None:
            part = self.part(name, kind)
            known = self._names[id(value)] = (value, part.name)
            self._queue.append((value, part))
        return (kind, known[1])

    def adopt(self, value: Any, part: Part) -> None:
        """Lets a part that is examined elsewhere stand for an object."""
        self._names[id(value)] = (value, part.name)

    def run(self, functions: Any, classes: Any, modules: Any) -> None:
        """Examines what was found until nothing new is."""
        while self._queue:
            value, part = self._queue.popleft()
            self.is_whole = not isinstance(value, FunctionType)
            if isinstance(value, FunctionType):
                functions(self, value, part)
            elif isinstance(value, type):
                classes(self, value, part)
            else:
                modules(self, value, part)

    # -- guards

    def guard(self, *guard: Any) -> None:
        """Adds an identity check; the same place is checked once."""
        place = (guard[0], id(guard[1]), guard[2] if guard[0] in ("slot", "attr") else None)
        if place not in self._guarded:
            self._guarded.add(place)
            self.guards.append(guard)

    def guard_slot(self, slot: Slot, value: Any) -> None:
        """Adds the check that a slot still holds the value."""
        kind, holder, key = slot
        self.guard(*((kind, holder, value) if kind == "cell" else (kind, holder, key, value)))

    def is_skipped(self, slot: Slot) -> bool:
        """Returns whether reached code stores to the slot: what it holds is state, no input."""
        return (id(slot[1]), slot[2]) in self.skipped.slots

    # -- edges

    def capture(self, value: Any, name: str, slot: Slot, reader: str, strict: bool = False, silent: bool = False) -> Any:
        """Returns the edge to a captured value.

        ``strict``: of a cell or a default, which tell two functions of one body apart; it counts by value whatever it
        is, as an argument does. ``silent``: no warning if it doesn't count.
        """
        if id(value) in self.skipped.objects and not captured.is_code(value):
            return self._changed(value, name, reader)
        way = captured.way_of(value)
        if way is Way.CODE:
            return self.code_edge(value, name, slot, reader)
        if way is Way.VALUE or (way is Way.ARRAY and captured.is_frozen_array(value)):
            return self._constant(value, name)
        if way in (Way.EACH_CALL, Way.ARRAY):
            return self._structure(value, name, slot, reader) or self._each_call(name, slot)
        if way is Way.SILENT:
            return ("silent", type(value).__qualname__)
        if strict and is_keyable(value):
            return self._each_call(name, slot)
        return self._structure(value, name, slot, reader, silent) or self._unplain(value, name, slot, reader, not silent)

    def _unplain(self, value: Any, name: str, slot: Slot, reader: str, is_warned: bool) -> Any:
        """Returns the edge to an object of a library, by value if it is small, or to a value with such parts, by the rest."""
        if not objects.has_parts(value) and objects.value_of(value) is None:
            is_counted = not captured.is_code(value) and objects.counts(value)
            return self._each_call(name, slot) if is_counted else self._leave_out(value, name, reader, _NOT_CHEAP, is_warned)
        rest = self._rests.setdefault(id(value), (objects.Rest(value), value))[0]
        left = rest.left_out()
        if left is None:
            return self._leave_out(value, name, reader, "it has more values than are hashed on each call", is_warned)
        for place, item in left:
            told = Uncounted(f"{name}{place}", reader, _NOT_CHEAP, type(item).__qualname__, is_warned, id(value), name)
            self.uncounted.append(told)
        return (self._each_call(name, ("attr", rest, "rest")), self._code_in(value, name, reader))

    def framework_edge(self, value: Any, name: str, reader: str, is_dunder: bool) -> Any:
        """Returns the edge to what a library keeps in a class of the user's: a descriptor counts as it is at first."""
        if not is_dunder and not objects.has_parts(value) and objects.counts(value):
            return self._constant(value, name)
        return self._leave_out(value, name, reader, _NOT_CHEAP, False)

    def _changed(self, value: Any, name: str, reader: str) -> Any:
        """Returns the edge to an object that reached code changes: the attributes that it doesn't store to count."""
        edge = self._leave_out(value, name, reader, CHANGED, False)
        entries = getattr(value, "__dict__", None)
        if type(entries) is not dict or isinstance(value, captured.CONTAINERS_AND_ARRAYS):
            return edge
        edges, parameters = [], captured.parameters_of(value)
        for key, item in sorted(entries.items(), key=lambda entry: str(entry[0])):
            slot = ("slot", entries, key)
            is_found = parameters is not None and key not in parameters
            if not self.is_skipped(slot) and item is not value and not is_found:
                self.guard_slot(slot, item)
                edges.append((key, self.capture(item, f"{name}.{key}", slot, reader, silent=True)))
        return (edge, edges)

    def _constant(self, value: Any, name: str) -> Any:
        part = self.part(f"captured {name}", "value")
        part.content.append(_core.digest_value(value))
        return ("value", part.name, [self._class_edge(cls) for cls in captured.classes_of(value)])

    def _each_call(self, name: str, slot: Slot) -> Any:
        kind, holder, key = slot
        place = (kind, id(holder), key)
        if place not in self._dynamic_of:
            taken, unique, number = set(self._dynamic_of.values()), f"captured {name}", 2
            while unique in taken or unique in self.parts:
                unique, number = f"captured `{name}` #{number}", number + 1
            self._dynamic_of[place] = unique
            self.dynamic.append((kind, unique, holder, key))
        return ("each call", self._dynamic_of[place])

    def _leave_out(self, value: Any, name: str, reader: str, reason: str, is_warned: bool) -> Any:
        type_name = type(value).__qualname__
        self.uncounted.append(Uncounted(name, reader, reason, type_name, is_warned, id(value), name))
        return ("uncounted", *self._code_in(value, name, reader))

    def _code_in(self, value: Any, name: str, reader: str) -> tuple[Any, Any]:
        """Returns the edges to the class of a value, and to the functions that an object of the user's holds."""
        state = getattr(value, "__dict__", {}) if origin.kind_of_class(type(value)) == "user" else {}
        inside = [(key, item) for key, item in list(state.items()) if captured.is_code(item)]
        edges = [(key, self.capture(item, f"{name}.{key}", ("slot", state, key), reader, silent=True)) for key, item in inside]
        for key, item in inside:
            self.guard("slot", state, key, item)
        return (self._class_edge(type(value)), edges)

    def _structure(self, value: Any, name: str, slot: Slot, reader: str, silent: bool = False) -> Any:
        """Returns the edges of a tuple or dict that holds functions, so that they count as helpers do."""
        if type(value) is tuple:
            items: Any = list(enumerate(value))
        elif type(value) is dict and all(captured.is_immutable(key) for key in value):
            items = list(value.items())
        else:
            return None
        if not any(captured.is_code(item) for _, item in items):
            return None
        if type(value) is dict:
            self.guard("len", value, len(value))
        edges = [self._element(value, key, item, f"{name}[{key!r}]", reader, silent) for key, item in items]
        return ("container", type(value).__name__, edges)

    def _element(self, container: Any, key: Any, item: Any, name: str, reader: str, silent: bool) -> Any:
        if type(container) is dict:
            slot: Slot = ("slot", container, key)
            self.guard_slot(slot, item)
        else:
            slot = boxed(item)
        return (key, self.capture(item, name, slot, reader, silent=silent))

    def code_edge(self, value: Any, name: str, slot: Slot, reader: str) -> Any:
        """Returns the edge to something that counts by its code."""
        if isinstance(value, FunctionType):
            return self._function_edge(value, name, reader)
        if isinstance(value, type):
            return self._class_edge(value)
        if isinstance(value, ModuleType):
            return self.module_edge(value)
        if isinstance(value, types.MethodType):
            of = self.capture(value.__self__, f"{name}.__self__", boxed(value.__self__), reader, strict=True)
            return ("method", self.code_edge(value.__func__, name, slot, reader), of)
        if type(value).__name__ == "BoundFunction" and captured.is_own(value):
            of = self.capture(value.__self__, f"{name}.__self__", boxed(value.__self__), reader, strict=True)
            return ("method", self.code_edge(value.__func__, name, slot, reader), of)
        if isinstance(value, (staticmethod, classmethod)):
            return (type(value).__name__, self.capture(value.__func__, name, boxed(value.__func__), reader, silent=True))
        if isinstance(value, (property, types.DynamicClassAttribute)):
            return ("property", [self._optional(f, name, reader) for f in (value.fget, value.fset, value.fdel)])
        if isinstance(value, (functools.partial, functools.partialmethod)):
            return self._partial_edge(value, name, reader)
        if isinstance(value, functools.singledispatchmethod):
            return ("dispatch", self._registry_edges(value.dispatcher, reader), self._optional(value.func, name, reader))
        if (inner := captured.function_of_ufunc(value)) is not None:
            return ("frompyfunc", value.nin, value.nout, repr(value.identity), self.capture(inner, name, boxed(inner), reader, silent=True))
        wrapped = captured.wrapped_by(value)
        return self._builtin_edge(value, name, slot, reader) if wrapped is None else self._wrapper_edge(value, *wrapped, name, reader)

    def _wrapper_edge(self, value: Any, attribute: str, inner: Any, name: str, reader: str) -> Any:
        """Returns the edge to the function inside an installed library's object, and to the settings beside it."""
        self.guard("attr", value, attribute, inner)
        if isinstance(inner, FunctionType) and not inner.__closure__ and origin.kind_of_function(inner) != "user":
            return ("builtin", self.external(value))
        settings = {} if captured.is_own(value) else getattr(value, "__dict__", {})
        named = [(key, item) for key, item in list(settings.items()) if isinstance(key, str) and not key.startswith("__")]
        plain = sorted([(key, item) for key, item in named if _is_setting(item)], key=lambda entry: entry[0])
        edges = [(key, self.capture(item, f"{name}.{key}", ("slot", settings, key), reader)) for key, item in plain]
        for key, item in plain:
            self.guard("slot", settings, key, item)
        edges += self._slots_of_wrapper(value, attribute, name, reader)
        edges += filter(None, [self._annotations(value, inner)])
        edges += self._said_of_cached(value, name, reader)
        return ("wrapper", self.external(value), edges, self.capture(inner, name, boxed(inner), reader, silent=True))

    def _said_of_cached(self, value: Any, name: str, reader: str) -> list[Any]:
        """Returns the edges to what a cached function says that it depends on: who calls it depends on that, too."""
        resolver = getattr(value, "_resolver", None) if captured.is_own(value) else None
        if resolver is None or id(value) in self._heard:
            return []
        self._heard[id(value)] = value
        version = resolver.version
        said = [] if version is None else [("version", self.capture(version, f"{name}.version", boxed(version), reader, strict=True))]
        return said + resolver.dependencies(self, reader)

    def _annotations(self, wrapper: Any, inner: Any) -> Any:
        """Returns the annotations of what an installed package's decorator wraps: they may be what it checks."""
        has_code = isinstance(getattr(wrapper, "__code__", None), types.CodeType)
        kind = origin.kind_of_function(wrapper) if has_code else origin.kind_of_class(type(wrapper))
        texts = annotated.of_function(inner) if kind == "installed" and not captured.is_own(wrapper) else []
        return ("annotations", texts) if texts else None

    def _slots_of_wrapper(self, value: Any, attribute: str, name: str, reader: str) -> list[Any]:
        """Returns the edges to what a wrapper keeps in slots: functions that it calls after the first, and settings."""
        edges = []
        for key in [] if captured.is_own(value) else captured.slots_of(value):
            item = captured.attribute(value, key)
            if not key.startswith("__") and (captured.holds_code(item) or _is_setting(item)):
                self.guard("attr", value, key, item)
                edges.append((key, self.capture(item, f"{name}.{key}", ("attr", value, key), reader, silent=True)))
        return edges

    def _optional(self, value: Any, name: str, reader: str) -> Any:
        return None if value is None else self.capture(value, name, boxed(value), reader, silent=True)

    def _function_edge(self, function: FunctionType, name: str, reader: str) -> Any:
        if not self.is_whole:
            self.direct.add(id(function))
        if origin.kind_of_function(function) == "user":
            return self.node(function, function.__qualname__, "code") if self.follow else self._body_edge(function)
        edges = []
        if hasattr(function, "registry") and hasattr(function, "dispatch"):
            edges.append(self._registry_edges(function, reader))
        else:
            for cell_name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
                edges.append(self._foreign_cell(cell_name, cell, name, reader))
        inner = function.__dict__.get("__wrapped__")
        edges += [self._optional(inner, name, reader), self._annotations(function, inner)]
        return ("installed", self.external(function), [edge for edge in edges if edge is not None])

    def _foreign_cell(self, cell_name: str, cell: Any, name: str, reader: str) -> Any:
        """Returns the edge to what an installed decorator's wrapper holds: the user's function, or its settings."""
        value = cell_content(cell)
        if value is MISSING or not self._is_users(value):
            return None
        self.guard("cell", cell, value)
        return (cell_name, self.capture(value, f"{name}.{cell_name}", ("cell", cell, None), reader, silent=True))

    def _is_users(self, value: Any) -> bool:
        """Returns whether what an installed function holds may be the user's: code, settings, objects of the user's classes."""
        if isinstance(value, type):
            return origin.kind_of_class(value) == "user"
        if captured.is_code(value) or captured.is_immutable(value) or origin.kind_of_class(type(value)) == "user":
            return True
        elements = list(value.values()) if type(value) is dict else value if type(value) in (list, tuple, set) else ()
        return any(captured.is_code(item) for item in elements)

    def _body_edge(self, function: FunctionType) -> Any:
        return ("body", body_digest(function.__code__))

    def _registry_edges(self, function: Any, reader: str) -> Any:
        registry = function.registry
        self.guard("len", registry, len(registry))
        edges = []
        for cls, implementation in list(registry.items()):
            self.guard("slot", registry, cls, implementation)
            name = f"{getattr(implementation, '__qualname__', 'implementation')}"
            edges.append((cls.__qualname__, self.capture(implementation, name, ("slot", registry, cls), reader, silent=True)))
        return edges

    def _partial_edge(self, value: Any, name: str, reader: str) -> Any:
        function = self.capture(value.func, name, boxed(value.func), reader, silent=True)
        self.guard("len", value.keywords, len(value.keywords))
        for key, item in value.keywords.items():
            self.guard("slot", value.keywords, key, item)
        arguments = [self.capture(a, f"{name}.args[{i}]", boxed(a), reader, strict=True) for i, a in enumerate(value.args)]
        keywords = [
            (key, self.capture(item, f"{name}.keywords[{key!r}]", boxed(item), reader, strict=True))
            for key, item in sorted(value.keywords.items())
        ]
        return ("partial", function, arguments, keywords, self._attached(value, name, reader))

    def _attached(self, value: Any, name: str, reader: str) -> list[Any]:
        """Returns the edges to the attributes that the user has given to a partial function."""
        entries = vars(value) if isinstance(value, functools.partial) else {}
        if isinstance(value, functools.partial):
            self.guard("len", entries, len(entries))
        edges = []
        for key, item in sorted(entries.items()):
            slot: Slot = ("slot", entries, key)
            if not key.startswith("__") and not self.is_skipped(slot):
                self.guard_slot(slot, item)
                edges.append((key, self.capture(item, f"{name}.{key}", slot, reader, silent=True)))
        return edges

    def _class_edge(self, cls: type) -> Any:
        if origin.kind_of_class(cls) == "user" and self.follow:
            return self.node(cls, cls.__qualname__, "class")
        return ("class", self.external(cls))

    def module_edge(self, module: ModuleType) -> Any:
        """Returns the edge to a module that is used as a whole."""
        if origin.kind_of_module(module) == "user" and self.follow:
            return self.node(module, f"module {origin.lasting_name(module.__name__)}", "module")
        self.version_of(module.__name__)
        return ("module", module.__name__)

    def _builtin_edge(self, value: Any, name: str, slot: Slot, reader: str) -> Any:
        owner = getattr(value, "__self__", None)
        if owner is not None and not isinstance(owner, ModuleType):
            bound = self.capture(owner, f"{name}.__self__", boxed(owner), reader, silent=True)
            return ("bound", getattr(value, "__name__", ""), bound)
        if captured.is_object(value) and objects.counts(value):
            return ("object", self.external(value), self._each_call(name, slot))
        return ("builtin", self.external(value))

    def external(self, value: Any) -> tuple[str, str]:
        """Returns the name of code that isn't followed, and counts the version of its distribution."""
        module = getattr(value, "__module__", None)
        if not isinstance(module, str):
            module = type(value).__module__
        self.version_of(module)
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__
        return (origin.lasting_name(module), str(name))

    def version_of(self, module: str) -> None:
        """Counts the version of the distribution that a module belongs to, or the content of an extension of the user."""
        name, content = origin.release_of(module)
        if name is not None and name not in self.parts:
            self.part(name, "version").content.append(content)


def _is_setting(item: Any) -> bool:
    """Returns whether what an installed wrapper holds beside its function is plain, or has arguments for it."""
    return isinstance(item, functools.partial) or captured.is_immutable(tuple(item) if type(item) in (list, set) else item)


def boxed(value: Any) -> Slot:
    """Returns a slot for a value whose place can't change, because what holds it is guarded."""
    return ("attr", SimpleNamespace(value=value), "value")


def cell_content(cell: Any) -> Any:
    """Returns what a cell holds, or `MISSING`."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def is_keyable(value: Any) -> bool:
    """Returns whether a value has a digest."""
    try:
        _core.digest_value(value)
    except Exception:  # noqa: BLE001 - the user's own reduce may raise anything
        return False
    return True
