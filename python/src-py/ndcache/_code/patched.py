"""What the user has put on classes of installed packages: methods, properties, and accessors of pandas."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Set
from types import FunctionType
from typing import Any

from . import captured, origin
from .graph import Graph, Part

_METHODS = (staticmethod, classmethod, property, functools.cached_property)


def edges(graph: Graph, reader: Part) -> list[Any]:
    """Returns the edges to those entries of installed classes that are the user's and whose names reached code has.

    Looked at are the classes of pandas' tables, and those that are globals beside reached code.
    """
    names = set().union(*(found.names for _, found, _ in graph.changes))
    found = []
    for cls in _classes(graph):
        for name, item, function in _entries(cls, names):
            graph.guard_slot(("slot", vars(cls), name), item)
            graph.entry_names.setdefault(id(function), name)
            edge = graph.capture(function, f"{cls.__qualname__}.{name}", ("slot", vars(cls), name), reader.name, silent=True)
            found.append((cls.__qualname__, name, type(item).__qualname__, edge))
    return found


def _classes(graph: Graph) -> list[type]:
    pandas = sys.modules.get("pandas")
    found = {cls: None for name in ("DataFrame", "Series", "Index") if isinstance(cls := getattr(pandas, name, None), type)}
    for scope in {id(names.globals): names.globals for _, _, names in graph.changes}.values():
        found.update((item, None) for item in list(scope.values()) if isinstance(item, type))
    return sorted((cls for cls in found if origin.kind_of_class(cls) == "installed"), key=lambda cls: (cls.__module__, cls.__qualname__))


def _entries(cls: type, names: Set[str]) -> Iterator[tuple[str, Any, Any]]:
    """Yields (name, entry, what counts of it)."""
    for name in sorted(names & vars(cls).keys()):
        item = vars(cls)[name]
        accessor = captured.attribute(item, "_accessor") if type(item).__name__ in ("CachedAccessor", "Accessor") else None
        inner = accessor or item
        if isinstance(inner, type):
            is_users = accessor is not None and origin.kind_of_class(inner) == "user"
        else:
            is_users = any(_is_users(function) for function in _functions(inner))
        if is_users:
            yield name, item, inner


def _functions(item: Any) -> list[Any]:
    if not isinstance(item, _METHODS):
        return [item]
    return [getattr(item, name, None) for name in ("__func__", "fget", "fset", "func")]


def _is_users(function: Any) -> bool:
    return isinstance(function, FunctionType) and origin.kind_of_function(function) == "user"
