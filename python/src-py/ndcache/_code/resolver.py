"""The code of one cached function, resolved: what Rust asks for, and what `CachedFunction.code` prints."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, Iterable

from .. import _core, _messages
from . import captured, chains, follow, origin, patched
from .graph import Graph, Part, Skipped, Uncounted, boxed, cell_content, digest
from .reach import Chain

MODES = ("auto", "body", "version")
_RESOLVED = tuple[bytes, list[tuple[str, bytes]], list[tuple[Any, ...]], list[tuple[str, str, Any, Any]]]

_warned: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class CodePart:
    """One thing that the key depends on: ``kind`` is code, class, module, value, version or each call."""

    name: str
    kind: str
    digest: str


class Code:
    """All that the keys of a cached function depend on beside its arguments; print it to see it."""

    def __init__(self, path: str, parts: list[CodePart], uncounted: list[Uncounted]) -> None:
        self.path = path
        self.parts = parts
        self.uncounted = uncounted

    def __repr__(self) -> str:
        lines = [f"code of {self.path}:"]
        lines += [f"  {part.kind:<10}{part.name:<40} {part.digest[:8]}".rstrip() for part in self.parts]
        lines += [f"  {'not':<10}{f'{item.name} ({item.type_name})':<40} {item.reason}" for item in self.uncounted]
        return "\n".join(lines)


class Resolver:
    """Finds what a function's results depend on beside its arguments. A call gives it in the form that Rust keeps."""

    def __init__(
        self,
        function: Any,
        path: str,
        depends: Iterable[Any] = (),
        ignore_globals: Iterable[str] = (),
        code: str = "auto",
        version: Any = None,
    ) -> None:
        if code not in MODES:
            raise ValueError(f"code is {code!r}, expected one of {', '.join(map(repr, MODES))}")
        self.function = function
        self.path = path
        self.depends = list(depends)
        self.ignored = frozenset([ignore_globals] if isinstance(ignore_globals, str) else ignore_globals)
        self.mode = code
        self.version = version
        self._first_defaults = _defaults(function)

    def __call__(self) -> _RESOLVED:
        """Returns (body, parts, guards, dynamic); raises `Unkeyable` if the code can't be examined."""
        # This holds no lock: to follow an import takes Python's own locks, in the order of the modules.
        try:
            graph, root = self._graph()
        except Exception as error:
            raise _core.Unkeyable(f"the code of `{self.path}` can't be examined: {type(error).__name__}: {error}") from error
        self._warn(graph)
        others = [(part.name, part.digest()) for part in graph.parts.values() if part is not root]
        return root.digest(), others, graph.guards, graph.dynamic

    def describe(self) -> Code:
        """Returns what counts and what doesn't, to be read."""
        graph, _ = self._graph()
        parts = [CodePart(part.name, part.kind, part.digest().hex()) for part in graph.parts.values()]
        parts += [CodePart(name, "each call", "") for _, name, _, _ in graph.dynamic]
        return Code(self.path, parts, graph.uncounted)

    def _graph(self) -> tuple[Graph, Part]:
        """Follows the code twice: what it stores to or changes is known only at the end, and never counts."""
        skipped = Skipped(names=self.ignored)
        inputs = self._inputs()
        for _ in range(3):
            graph, root = self._follow(skipped)
            fresh = graph.stored.without(inputs)
            if fresh.slots.keys() <= skipped.slots.keys() and fresh.objects.keys() <= skipped.objects.keys():
                break
            skipped = Skipped(skipped.slots | fresh.slots, skipped.objects | fresh.objects, self.ignored)
        return graph, root

    def _inputs(self) -> Skipped:
        """Returns the slots and objects that ``depends`` names: they count, whoever stores to them or changes them."""
        found = Skipped()
        for item in self.depends:
            value = item
            if isinstance(item, str):
                (_, holder, key), value = self._named(item)
                found.slots[(id(holder), key)] = holder
            found.objects[id(value)] = value
            for cls in value.__mro__ if isinstance(value, type) else ():
                found.slots.update({(id(cls), name): cls for name in vars(cls)})
                found.objects.update({id(entry): entry for entry in vars(cls).values()})
        return found

    def _follow(self, skipped: Skipped) -> tuple[Graph, Part]:
        graph = Graph(skipped, follow=self.mode == "auto")
        root = graph.part(self.path, "code")
        self._examine(graph, root)
        if self.version is not None:
            graph.part("version", "value").content.append(_core.digest_value(self.version))
        root.content += self.dependencies(graph, self.path)
        graph.run(follow.function, follow.cls, follow.module)
        self._add_patches(graph, root)
        follow.note_changes(graph)
        follow.tell_of_entries(graph, isinstance(self.function, type))
        return graph, root

    def _add_patches(self, graph: Graph, root: Part) -> None:
        """Follows what the user has put on installed classes, as long as that leads to more of it."""
        before = -1
        while self.mode == "auto" and before != len(graph.parts):
            before, root.content[:] = len(graph.parts), [item for item in root.content if item[:1] != ("patched",)]
            if edges := patched.edges(graph, root):
                root.content.append(("patched", edges))
            graph.run(follow.function, follow.cls, follow.module)
        if annotations := follow.read_annotations(graph):
            root.content.append(("annotations", annotations))

    def _examine(self, graph: Graph, root: Part) -> None:
        function = self.function
        if isinstance(function, FunctionType) and origin.kind_of_function(function) == "user":
            graph.adopt(function, root)
            if _defaults(function) != self._first_defaults:
                root.content.append(("new defaults", follow.defaults(graph, function, self.path, follow.reach_of(function.__code__))))
            follow.function(graph, function, root, is_root=True, body_counts=self.mode != "version")
        elif captured.is_code(function):
            root.content.append(graph.code_edge(function, "function", boxed(function), self.path))
        else:
            root.content.append(graph.capture(function, "self", boxed(function), self.path, strict=True))
            call = getattr(type(function), "__call__")
            root.content.append(graph.code_edge(call, "__call__", boxed(call), self.path))

    def dependencies(self, graph: Graph, reader: str) -> list[Any]:
        """Returns the edges to what ``depends`` names."""
        return [("depends", self._depend(graph, reader, number, item)) for number, item in enumerate(self.depends)]

    def _depend(self, graph: Graph, reader: str, number: int, item: Any) -> Any:
        if isinstance(item, str):
            name, slot, value = item, *self._named(item)
            graph.guard_slot(slot, value)
        else:
            name, slot, value = getattr(item, "__name__", f"depends[{number}]"), boxed(item), item
        edge = graph.capture(value, str(name), slot, reader, strict=True)
        if edge[0] == "uncounted":
            raise ValueError(f"`depends` names `{name}`, of type {type(value).__qualname__}, whose value has no digest")
        return edge

    def _named(self, text: str) -> tuple[Any, Any]:
        """Returns the slot and the value of a name in ``depends``, as the function sees it."""
        first, *attributes = text.split(".")
        names = chains.Names(self.function)
        found = names.root(Chain("free" if first in names.cells else "global", first))
        for attribute in attributes:
            value = found[1] if found else None
            found = (("attr", value, attribute), getattr(value, attribute, chains.MISSING))
        if found is None or found[1] is chains.MISSING:
            raise NameError(f"`depends` names `{text}`, which `{self.path}` doesn't see")
        return found

    def _warn(self, graph: Graph) -> None:
        named = {id(item) for item in self.depends}.union(id(self._named(item)[1]) for item in self.depends if isinstance(item, str))
        for item in graph.uncounted:
            if item.is_warned and item.identity not in named and (self.path, item.name) not in _warned:
                _warned.add((self.path, item.name))
                _messages.warn(_advice(self.path, item))


def _defaults(function: Any) -> Any:
    defaults = getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None)
    return tuple(map(id, defaults[0] or ())), {name: id(item) for name, item in (defaults[1] or {}).items()}


def _advice(path: str, item: Uncounted) -> str:
    reader, by_name = ("", f'"{item.of}"') if item.reader == path else (f" (in `{item.reader}`)", item.of)
    return (
        f"`{path}` reads `{item.name}`{reader}, of type {item.type_name}, which isn't part of the key: "
        f'depends=[{by_name}] counts it by value on each call, ignore_globals=["{item.of}"] silences this'
    )


# What was found out about classes some of whose entries are hashed at each call.
_CLASSES: weakref.WeakKeyDictionary[type, tuple[Any, list[Any], list[Any]]] = weakref.WeakKeyDictionary()


def class_digest(cls: type) -> tuple[bytes | None, list[Any], list[Any]]:
    """Returns (digest, guards, dynamic) of a class whose instances are digested; no digest if its name is enough."""
    if origin.kind_of_class(cls) != "user":
        return None, [], []
    known = _CLASSES.get(cls)
    value, guards, dynamic = known if known and all(map(_holds, known[1])) else _value_digest(cls, cls.__qualname__)
    if dynamic:
        _CLASSES[cls] = value, guards, dynamic
        held = [(name, digest(_held(*place))) for place, name in ((item[:1] + item[2:], item[1]) for item in dynamic)]
        value, guards = digest((value, held)), [*guards, _NEVER_HOLDS]
    return value, guards, []


def _holds(guard: tuple[Any, ...]) -> bool:
    """Returns whether what was found out still stands, as far as this guard tells."""
    kind, of, *rest = guard
    if kind == "slot":
        return bool(of.get(rest[0], chains.MISSING) is rest[1])
    if kind == "attr":
        return getattr(of, rest[0], chains.MISSING) is rest[1]
    if kind == "cell":
        return cell_content(of) is rest[0]
    if kind == "len":
        return bool(len(of) == rest[0])
    if kind == "bases":
        return of.__mro__ is rest[0]
    return of.__code__ is rest[0] and of.__defaults__ is rest[1] and of.__kwdefaults__ is rest[2]


# A guard that never holds: the class is asked for again at its next instance, and what it reads is hashed then.
_NEVER_HOLDS = ("len", {}, 1)


def _held(kind: str, holder: Any, key: Any) -> Any:
    if kind == "cell":
        return holder.cell_contents
    return holder[key] if kind == "slot" else getattr(holder, key)


def function_digest(function: Any) -> tuple[bytes | None, list[Any], list[Any]]:
    """Returns (digest, guards, dynamic) of a function or module that is digested as a value; no digest if its name is enough."""
    if isinstance(function, ModuleType):
        named = origin.kind_of_module(function) != "user"
        return (None, [], []) if named else _value_digest(function, f"module {function.__name__}")
    if isinstance(function, FunctionType) and origin.kind_of_function(function) != "user" and not function.__closure__:
        return None, [], []
    return _value_digest(function, getattr(function, "__qualname__", "function"))


def _value_digest(value: Any, name: str) -> tuple[bytes, list[Any], list[Any]]:
    resolver = Resolver(value, name)
    if isinstance(value, FunctionType):
        resolver._first_defaults = None  # as a value, its defaults count
    body, parts, guards, dynamic = resolver()
    return digest((body, parts)), guards, dynamic
