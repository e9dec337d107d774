"""An on-disk function cache for programs that work on arrays."""

from __future__ import annotations

import os as _os

import numpy as _numpy  # noqa: F401 - here, where an interrupt breaks nothing that is half done

from . import _code, _core
from ._core import MISSING, FileContent, FileStamp, Unkeyable, __version__, digest, hash, register_hasher
from ._decorate import cache, expires_after, register_store_backend, set_memory
from ._memory import Memory
from ._messages import CacheWarning
from ._read import read

__all__ = [
    "CacheWarning", "FileContent", "FileStamp", "Memory", "Unkeyable", "cache", "digest", "expires_after", "hash",
    "read", "register_hasher", "register_store_backend", "set_memory",
]  # fmt: skip

_core.set_hooks(class_digest=_code.class_digest, function_digest=_code.function_digest)
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(before=_core.end_helpers)
