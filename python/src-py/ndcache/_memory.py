"""A cache folder, with joblib's interface and more."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Callable

from . import _attributes, _messages
from ._core import CoreMemory
from ._store import Store

__all__ = ["Memory"]

_OWN = (
    "limits", "expires", "min_duration", "mode", "pickle", "shared", "texts", "wait", "recheck", "durability",
    "readable", "remote", "share", "remote_wait", "salt", "statistics",
)  # fmt: skip


class _LooksLikeJoblibs:
    """Answers ``isinstance(memory, joblib.Memory)`` with yes once joblib is loaded: libraries ask so."""

    @property
    def __class__(self) -> type:
        if "joblib.memory" not in sys.modules:
            return type(self)
        from .joblib import Memory as named

        return named


class Memory(_LooksLikeJoblibs, CoreMemory):
    """A cache folder. Results are stored below `location`, where any other process finds them.

    `Memory(None)` caches nothing. The first six parameters are joblib's; the others are keywords:

    limits: a size (`"100G"`), or a dict of `bytes`, `items`, `age`; the least recently used results are evicted first.
    expires: seconds or `timedelta` for which results are valid.
    min_duration: results that took fewer seconds to compute aren't stored.
    mode: "read-write", "refresh", "read-only", "off".
    pickle: whose pickles are loaded: "own", "any", "never".
    shared: whether other users may enter the folder, if it is created here.
    texts: whether records and messages show the values of arguments in short.
    wait: seconds to wait for another process that computes the same call.
    recheck: share of hits that are computed again and compared.
    durability: "buffered", "synced", "full".
    readable: whether the names of array files hold the function and its arguments.
    remote: folders that machines share, `"rw:/nfs/team,/nfs/main"`, searched before a call is computed.
    share: which machines share results: "target" (those with the same target triple), "any", or a common name.
    remote_wait: seconds that the end of the program waits for results to be sent there.
    salt: a text that is part of every key: memories with different salts share no results.
    statistics: whether hits, misses and times are recorded in the folder.
    """

    def __new__(
        cls,
        location: str | os.PathLike[str] | None = None,
        backend: str = "local",
        mmap_mode: str | None = None,
        compress: Any = False,
        verbose: int = 1,
        backend_options: Any = None,
        **options: Any,
    ) -> "Memory":
        if backend != "local":
            raise TypeError(f"Unknown location or backend `{backend}`, expected \"local\": other machines are reached by tiers")
        unknown = [name for name in options if name not in _OWN]
        if unknown:
            raise TypeError(f"Memory has no setting `{unknown[0]}`")
        if backend_options:
            _messages.warn_once("backend_options", "`backend_options` is for backends that ndcache hasn't, and means nothing")
        _messages.warn_of_compression(compress, mmap_mode)
        for name, value in (("mmap_mode", mmap_mode), ("compress", compress), ("verbose", verbose)):
            options[name] = value
        return super().__new__(cls, location, **options)

    backend = "local"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.__dict__["timestamp"] = time.time()
        if self.mode == "read-only" and not self.enabled and self.location is not None:
            _messages.warn_once(
                f"no folder {self.location}", f"cache folder `{self.location}` doesn't exist, and isn't made for reading: each call is computed"
            )
        if self.verbose >= 1 and self.location is not None:
            _messages.tell_at_exit(self)

    @classmethod
    def from_env(cls, location: str | os.PathLike[str] | None = None, **options: Any) -> "Memory":
        """Returns a memory in `NDCACHE_DIR`, or else in `location`; `NDCACHE_MODE` may make its mode stricter.

        `NDCACHE_REMOTE`, shared as `NDCACHE_REMOTE_SHARE` says, is its `remote` unless one is given; `NDCACHE_REMOTE_WAIT` is
        its `remote_wait`.
        """
        order = ("read-write", "refresh", "read-only", "off")
        given = os.environ.get("NDCACHE_MODE") or "read-write"
        if given not in order:
            raise ValueError(f"NDCACHE_MODE is `{given}`, expected one of {', '.join(order)}")
        asked = options.get("mode") or "read-write"
        options["mode"] = max(given, asked, key=order.index)
        if os.environ.get("NDCACHE_REMOTE") and "remote" not in options:
            options["remote"] = os.environ["NDCACHE_REMOTE"]
            options.setdefault("share", os.environ.get("NDCACHE_REMOTE_SHARE") or None)
        if os.environ.get("NDCACHE_REMOTE_WAIT"):
            options.setdefault("remote_wait", _seconds("NDCACHE_REMOTE_WAIT"))
        return cls(os.environ.get("NDCACHE_DIR") or location, **options)

    @property
    def location(self) -> str | None:
        """The folder; None of a memory that caches nothing."""
        root = self.root
        return None if root is None else os.fspath(root)

    @property
    def mmap_mode(self) -> str | None:
        return self.options.get("mmap_mode")

    @property
    def verbose(self) -> int:
        return self.options.get("verbose", 1)

    _verbose = verbose

    @property
    def compress(self) -> Any:
        """How arrays are compressed, as it was given."""
        return self.options.get("compress", False)

    @property
    def backend_options(self) -> dict[str, Any]:
        """Empty: ndcache has no other backends."""
        return {}

    def __getattr__(self, name: str) -> Any:
        _attributes.missing(self, "a memory of ndcache", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _attributes.refuse_to_set(self, "a memory", name)
        super().__setattr__(name, value)

    @property
    def store_backend(self) -> Any:
        """The folder as joblib's programs look into it."""
        return None if self.location is None else Store(self.location, self.mmap_mode)

    def cache(
        self, func: Callable[..., Any] | None = None, ignore: Any = None, verbose: int | None = None, mmap_mode: Any = False,
        cache_validation_callback: Any = None, **options: Any,
    ) -> Any:  # fmt: skip
        """Returns a function that is cached in this memory; without `func`, a decorator.

        The parameters are joblib's, in its order: ignore, verbose, mmap_mode, cache_validation_callback; by keyword also
        version, name, depends, ignore_globals, code, key, secret, min_duration, expires, compress, readable.
        """
        from ._decorate import decorate

        return decorate(self, func, ignore, verbose, mmap_mode, cache_validation_callback, **options)

    def eval(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """`func(*args, **kwargs)` through this memory."""
        return self.cache(func)(*args, **kwargs)

    def clear(self, warn: bool = True) -> int:
        """Removes all entries, and returns how many there were."""
        if self.location is None or not self.enabled:
            return 0
        return self.remove_all()

    def reduce_size(self, bytes_limit: Any = None, items_limit: int | None = None, age_limit: Any = None) -> tuple[int, int]:
        """Removes the least recently used results until these limits hold; returns how many entries and bytes were removed."""
        if self.location is None or not self.enabled:
            return 0, 0
        if age_limit is not None and age_limit.total_seconds() < 0:
            raise ValueError("age_limit has to be a positive timedelta")
        return self.reduce(bytes_limit, items_limit, age_limit)

    def flush(self, timeout: Any = 60) -> dict[str, Any]:
        """Sends the remaining results to `remote`, for at most `timeout`, in seconds or a `timedelta`.

        Returns how many results were `uploaded` since the memory was made or last flushed, how many are `left`, how many
        attempts `failed`, and the reasons in `troubles`.
        """
        return self.flush_tiers(timeout)

    def __repr__(self) -> str:
        return f"Memory(location={self.location})"

    def _repr_html_(self) -> str:
        from ._html import memory_html

        return memory_html(self)

    def __reduce__(self):
        return _reopened, (type(self), self.location, self.options)

    def __deepcopy__(self, memo: Any) -> "Memory":
        return self

    def __copy__(self) -> "Memory":
        return self

    def __ndcache_hash__(self) -> tuple[str, str | None]:
        return "ndcache.Memory", self.location


def _seconds(variable: str) -> float:
    try:
        return float(os.environ[variable])
    except ValueError:
        raise ValueError(f"`{variable}` is `{os.environ[variable]}`, expected a number of seconds") from None


def _reopened(cls: type[Memory], location: str | None, options: dict[str, Any]) -> Memory:
    return cls(location, **options)
