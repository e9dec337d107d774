"""An on-disk function cache for programs that work on arrays."""

from __future__ import annotations

import os as _os

import numpy as _numpy  # noqa: F401 - here, where an interrupt breaks nothing that is half done

from . import _core
from ._core import MISSING, FileContent, FileStamp, Unkeyable, __version__, digest, hash
from ._decorate import cache, expires_after, register_hasher, register_store_backend, set_memory
from ._memory import Memory
from ._messages import CacheWarning
from ._read import read

__all__ = [
    "CacheWarning", "FileContent", "FileStamp", "Memory", "Unkeyable", "cache", "digest", "expires_after", "hash",
    "read", "register_hasher", "register_store_backend", "set_memory",
]  # fmt: skip


#: What is loaded when it is asked for: what looks into code takes longer to load than the rest.
_LATER = {
    "AsyncCachedFunction": "_function", "CachedFunction": "_function", "Code": "_code", "CodePart": "_code", "Entry": "_core",
    "Explanation": "_function", "Reference": "_reference",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def _class_digest(cls: type) -> object:
    from . import _code  # it sets the hooks anew

    return _code.class_digest(cls)


def _function_digest(function: object) -> object:
    from . import _code

    return _code.function_digest(function)


_core.set_hooks(class_digest=_class_digest, function_digest=_function_digest)
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(before=_core.end_helpers)
