"""An on-disk function cache for programs that work on arrays."""

from __future__ import annotations

import os as _os

from . import _core
from ._core import MISSING, FileContent, FileStamp, Unkeyable, __version__, digest, hash, register_hasher
from ._memory import Memory
from ._messages import CacheWarning

__all__ = ["CacheWarning", "FileContent", "FileStamp", "Memory", "Unkeyable", "digest", "hash", "register_hasher"]

if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(before=_core.end_helpers)
