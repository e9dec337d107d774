"""An on-disk function cache for programs that work on arrays."""

from __future__ import annotations

from ._core import MISSING, Unkeyable, __version__, digest, hash, register_hasher
from ._memory import Memory
from ._messages import CacheWarning

__all__ = ["CacheWarning", "Memory", "Unkeyable", "digest", "hash", "register_hasher"]
