"""Annotations as texts: libraries and the user's own decorators make checks and conversions of them."""

from __future__ import annotations

import re
from types import FunctionType
from typing import Any

#: What isn't the same in all processes: addresses, and the name by which workers know a script.
_PASSING = re.compile(r" at 0x[0-9a-f]+|(?<=\b__)mp_(?=main__\b)")
#: Names of what reads the annotations of functions.
READERS = frozenset({"__annotations__", "annotation", "get_annotations", "get_type_hints", "getfullargspec"})

#: Names of what reads docstrings.
READ_TEXTS = frozenset({"__doc__", "getdoc"})


def of_class(value: type) -> list[tuple[str, str]]:
    """Returns the annotated fields of a class."""
    try:
        annotations = value.__dict__.get("__annotations__") or (value.__annotations__ if "__annotate_func__" in value.__dict__ else {})
    except Exception:  # noqa: BLE001 - names that aren't defined yet
        return []
    return _texts(annotations)


def of_function(value: Any) -> list[tuple[str, str]]:
    """Returns the annotated parameters and the result of a function; of what a wrapper wraps, too."""
    if not isinstance(value, FunctionType):
        return []
    try:
        own = _texts(value.__annotations__)
    except Exception:  # noqa: BLE001 - names that aren't defined yet
        own = []
    inner = value.__dict__.get("__wrapped__")
    return own + (of_function(inner) if inner is not value else [])


def of_bases(value: type) -> list[str]:
    """Returns the bases of a class as they are written, with their arguments: ``Table[Row]``."""
    written = value.__dict__.get("__orig_bases__", ())
    return [text for _, text in _texts(dict(enumerate(written)))]


def _texts(annotations: Any) -> list[tuple[str, str]]:
    return [(str(name), _PASSING.sub("", item if isinstance(item, str) else _name(item))) for name, item in annotations.items()]


def _name(item: Any) -> str:
    return item.__qualname__ if isinstance(item, type) else repr(item)
