"""joblib's names over ndcache, for programs and libraries that ask for joblib's classes.

`Memory` is a real subclass of ``joblib.Memory``, so that ``isinstance(memory, joblib.Memory)`` holds:

    from ndcache.joblib import Memory

`install` puts ndcache's in the place of joblib's own, for code that can't be changed.
"""

from __future__ import annotations

import inspect
import os
from typing import Any

import joblib
import joblib.memory

from . import _function, _memory, _messages, _reference
from ._decorate import TIERS, expires_after

_NAMES = (
    "Memory", "MemorizedFunc", "NotMemorizedFunc", "AsyncMemorizedFunc", "AsyncNotMemorizedFunc", "MemorizedResult",
    "NotMemorizedResult", "expires_after", "register_store_backend",
)  # fmt: skip
__all__ = [*_NAMES, "install"]


class Memory(_memory.Memory, joblib.memory.Memory):
    """ndcache's `Memory`, which ``isinstance(memory, joblib.Memory)`` accepts. The class of joblib gives its name only."""

    # What joblib's `warn`, `info`, `debug` and `format` go by.
    _name, depth = "ndcache", 3

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # joblib's own `__init__` would open a store of joblib's.
        _memory.Memory.__init__(self, *args, **kwargs)
        _ignored_by_git(self.location)

    __repr__ = _memory.Memory.__repr__
    __reduce__ = _memory.Memory.__reduce__
    __reduce_ex__ = object.__reduce_ex__
    __getstate__ = object.__getstate__


def _ignored_by_git(folder: str | None) -> None:
    """Writes the file that joblib writes into a new folder, in joblib's words, unless there is one."""
    if folder is not None and os.path.isdir(folder):
        try:
            with open(os.path.join(folder, ".gitignore"), "x", encoding="utf-8") as file:
                file.write("# Created by joblib automatically.\n*\n")
        except OSError:
            pass


class _Kind(type):
    """A name of joblib's for what ndcache has by another: it answers ``isinstance``, and makes the thing."""

    def __instancecheck__(cls, value: Any) -> bool:
        return bool(cls._is_one(value))  # type: ignore[attr-defined]


def _is_off(value: Any) -> bool:
    return value.memory is None or value.memory.location is None


class MemorizedFunc(metaclass=_Kind):
    """A cached function."""

    def __new__(cls, func: Any, location: Any = None, backend: str = "local", ignore: Any = None, mmap_mode: Any = None,
                compress: Any = False, verbose: int = 1, timestamp: Any = None, cache_validation_callback: Any = None) -> Any:  # fmt: skip
        location = getattr(location, "location", location)
        memory = Memory(location, backend, mmap_mode, compress, verbose)
        return memory.cache(func, ignore=ignore, cache_validation_callback=cache_validation_callback)

    @staticmethod
    def _is_one(value: Any) -> bool:
        return isinstance(value, _function.CachedFunction) and not _is_off(value)


class NotMemorizedFunc(metaclass=_Kind):
    """A function that just runs, with the methods of a cached one."""

    def __new__(cls, func: Any) -> Any:
        return Memory(None).cache(func)

    @staticmethod
    def _is_one(value: Any) -> bool:
        return isinstance(value, _function.CachedFunction) and _is_off(value)


class AsyncMemorizedFunc(MemorizedFunc):
    """A cached coroutine function."""

    @staticmethod
    def _is_one(value: Any) -> bool:
        return MemorizedFunc._is_one(value) and inspect.iscoroutinefunction(value.func)


class AsyncNotMemorizedFunc(NotMemorizedFunc):
    """A coroutine function that just runs."""

    @staticmethod
    def _is_one(value: Any) -> bool:
        return NotMemorizedFunc._is_one(value) and inspect.iscoroutinefunction(value.func)


class MemorizedResult(metaclass=_Kind):
    """A reference to a stored result."""

    def __new__(cls, location: Any, call_id: Any, backend: str = "local", mmap_mode: Any = None, verbose: int = 0,
                timestamp: Any = None, metadata: Any = None) -> Any:  # fmt: skip
        return _reference.Reference(Memory(location, backend, verbose=verbose), *call_id, mmap_mode)

    @staticmethod
    def _is_one(value: Any) -> bool:
        return isinstance(value, _reference.Reference)


NotMemorizedResult = _reference.NotStored

_register = joblib.memory.register_store_backend


def register_store_backend(backend_name: str, backend: Any) -> None:
    """joblib's own, with a warning: what it registers is for joblib's stores, and a memory of ndcache takes none of them."""
    _register(backend_name, backend)
    _messages.warn(f"store backend `{backend_name}` is registered with joblib alone: `Memory(…, backend={backend_name!r})` raises{TIERS}")


def install() -> None:
    """Replaces joblib's names, in `joblib` and `joblib.memory`, for all that imports them from now on."""
    for name in _NAMES:
        for module in (joblib, joblib.memory):
            if hasattr(module, name):
                setattr(module, name, globals()[name])
