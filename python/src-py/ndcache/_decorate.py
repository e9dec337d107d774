"""How a function becomes a cached one: the decorators, their options, and the memory of libraries."""

from __future__ import annotations

import datetime
import functools
import os
import sys
import weakref
from types import FunctionType
from typing import Any, Callable, Mapping

from . import _core, _messages

_KNOWN_MODES = (None, "r", "r+", "w+", "c")

#: In the place of a memory: the one that the application sets.
ANY = object()
#: What `cache` without a memory uses; `set_memory` changes it.
_default: dict[str, Any] = {"memory": None, "is_set": False}
_waiting: weakref.WeakSet[Any] = weakref.WeakSet()
_made: dict[Any, Any] = {}
_MOST_MADE = 512


class expires_after:  # noqa: N801 - joblib's name
    """A validation callback: results are valid for this time after they were computed."""

    def __init__(
        self, days: float = 0, seconds: float = 0, microseconds: float = 0, milliseconds: float = 0,
        minutes: float = 0, hours: float = 0, weeks: float = 0,
    ) -> None:  # fmt: skip
        age = datetime.timedelta(days, seconds, microseconds, milliseconds, minutes, hours, weeks)
        self.seconds = age.total_seconds()

    def __call__(self, metadata: Mapping[str, Any]) -> bool:
        """Returns whether a result with these metadata may still be used."""
        return datetime.datetime.now().timestamp() - float(metadata["time"]) < self.seconds

    def __repr__(self) -> str:
        return f"expires_after(seconds={self.seconds:g})"


def decorate(
    memory: Any,
    func: Any = None,
    ignore: Any = None,
    verbose: int | None = None,
    mmap_mode: Any = False,
    cache_validation_callback: Callable[[Mapping[str, Any]], bool] | None = None,
    **more: Any,
) -> Any:
    """Returns the cached form of a function, or a decorator if there is no function yet."""
    options = dict(more)
    if ignore is not None:
        options["ignore"] = ignore
    if verbose is not None:
        options["verbose"] = verbose
    if mmap_mode is not False:
        options["mmap_mode"] = mmap_mode
    if cache_validation_callback is not None:
        options["cache_validation_callback"] = cache_validation_callback
    _check(options)
    if func is None:
        return functools.partial(_decorated, memory, **options)
    return _decorated(memory, func, **options)


def _check(options: dict[str, Any]) -> None:
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise TypeError(f"unknown option `{min(unknown)}`, expected one of {', '.join(sorted(_OPTIONS))}")
    callback = options.get("cache_validation_callback")
    if callback is not None and not callable(callback):
        raise ValueError(f"cache_validation_callback needs to be callable. Got {callback!r}.")
    if options.get("mmap_mode") not in _KNOWN_MODES:
        raise ValueError(f"mmap_mode is {options['mmap_mode']!r}, expected one of {_KNOWN_MODES}")
    for name in ("ignore", "depends", "ignore_globals"):
        if isinstance(options.get(name), str):
            raise ValueError(f"{name} is the text {options[name]!r}, expected a list of names: [{options[name]!r}]")
    if options.get("code", "auto") not in ("auto", "body", "version"):
        raise ValueError(f"code is {options['code']!r}, expected 'auto', 'body' or 'version'")
    if options.get("code") == "version" and options.get("version") is None:
        raise ValueError("code='version' needs version=: nothing else would tell old results from new ones")


def _decorated(memory: Any, func: Any, **options: Any) -> Any:
    from ._function import CachedFunction

    if isinstance(func, CachedFunction):
        func = func.func
    if isinstance(func, (staticmethod, classmethod)):
        return type(func)(_decorated(memory, func.__func__, **options))
    if isinstance(func, property):
        if func.fget is None:
            raise TypeError("a property without a getter can't be cached")
        return property(_decorated(memory, func.fget, **options), func.fset, func.fdel, func.__doc__)
    if not callable(func):
        raise TypeError(f"{type(func).__name__} isn't callable: a cached function has to be")
    return made_once(memory, func, options)


def made_once(memory: Any, func: Any, options: dict[str, Any], path: str | None = None, signature: Any = False) -> Any:
    """Returns the cached function over ``func`` that was made before with these options, or a new one."""
    place = _place(memory, func, options)
    found = _made.get(place) if place is not None else None
    if found is not None and path in (None, found.function_path):
        return found
    made = make(memory, func, options, path, signature)
    if place is not None:
        if len(_made) >= _MOST_MADE:
            _made.clear()
        _made[place] = made
    return made


def _place(memory: Any, func: Any, options: dict[str, Any]) -> Any:
    """Returns what tells this decoration from others, for functions that live as long as their module.

    scikit-learn decorates a function at each fit: what was found out about it is kept.
    """
    if not isinstance(func, FunctionType) or func.__closure__ or "<" in func.__qualname__ or memory is None or memory is ANY:
        return None
    if vars(sys.modules.get(func.__module__, sys)).get(func.__name__) is not func:
        return None
    frozen = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in sorted(options.items()))
    try:
        hash(frozen)
    except TypeError:
        return None
    # One that was to read a folder before there was one looks nothing up.
    return memory.location, memory.enabled, tuple(map(str, memory.options.items())), func, frozen


_OPTIONS = frozenset(
    "ignore verbose mmap_mode cache_validation_callback version name depends ignore_globals code key secret "
    "min_duration expires compress readable".split()
)


def make(memory: Any, func: Any, options: dict[str, Any], path: str | None = None, signature: Any = False) -> Any:
    """Returns a new cached function over ``func``. ``path`` and ``signature`` are given where they came with a pickle."""
    import inspect

    from ._code import Resolver, path_of
    from ._function import AsyncCachedFunction, CachedFunction, LibraryFunction

    path = path or options.get("name") or path_of(func)
    if signature is False:
        signature = signature_of(func)
    _check_ignored(path, options, signature)
    resolver = Resolver(
        func, path, options.get("depends") or (), options.get("ignore_globals") or (),
        options.get("code", "auto"), options.get("version"),
    )  # fmt: skip
    cls = AsyncCachedFunction if inspect.iscoroutinefunction(func) else CachedFunction
    if memory is ANY:
        memory, cls = None, LibraryFunction
    if memory is not None:
        compress = options.get("compress", memory.options.get("compress"))
        _messages.warn_of_compression(compress, options.get("mmap_mode", memory.mmap_mode))
    made = cls(memory, func, path, resolver, **_core_options(options, signature))
    made._describe(resolver, options, path, signature)
    if cls is LibraryFunction:
        made.set_memory(_default_memory())
        _waiting.add(made)
    return made


def _core_options(options: dict[str, Any], signature: Any) -> dict[str, Any]:
    core = {name: options[name] for name in ("key", "verbose", "secret", "min_duration", "compress", "readable") if name in options}
    core["ignore"] = tuple(options.get("ignore") or ())
    core["mmap_mode"] = options.get("mmap_mode", _core.MISSING)
    core["signature"] = signature
    from ._code import is_immutable

    if signature is not None and not all(map(is_immutable, signature[5].values())):
        core["front"] = False  # calls that leave a default to the function aren't told by their arguments alone
    expires = options.get("expires")
    core["expires"] = expires.total_seconds() if isinstance(expires, datetime.timedelta) else expires
    callback = options.get("cache_validation_callback")
    if isinstance(callback, expires_after):
        core["expires"] = callback.seconds
    elif callback is not None:
        core["validate"] = callback
    return core


def _check_ignored(path: str, options: dict[str, Any], signature: Any) -> None:
    if signature is None:
        return
    known = {*signature[0], *signature[3], "*", "**", "self"}
    for option in ("ignore", "key", "secret"):
        for name in options.get(option) or ():
            if name not in known:
                raise ValueError(f"{option} names `{name}`, which isn't a parameter of `{path}`: {', '.join(sorted(known))}")


def signature_of(func: Any) -> Any:
    """Returns (positional, number of positional-only, *args?, keyword-only, **kwargs?, defaults), or ``None``.

    A wrapper that takes anything has the signature of what it wraps.
    """
    import inspect

    try:
        own = inspect.signature(func, follow_wrapped=False)
        if all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in own.parameters.values()):
            own = inspect.signature(func)
    except (TypeError, ValueError):
        return None
    by_kind: dict[Any, list[str]] = {}
    for name, parameter in own.parameters.items():
        by_kind.setdefault(parameter.kind, []).append(name)
    only = by_kind.get(inspect.Parameter.POSITIONAL_ONLY, [])
    positional = (*only, *by_kind.get(inspect.Parameter.POSITIONAL_OR_KEYWORD, []))
    defaults = {n: p.default for n, p in own.parameters.items() if p.default is not inspect.Parameter.empty}
    keyword_only = tuple(by_kind.get(inspect.Parameter.KEYWORD_ONLY, ()))
    has_args = inspect.Parameter.VAR_POSITIONAL in by_kind
    return positional, len(only), has_args, keyword_only, inspect.Parameter.VAR_KEYWORD in by_kind, defaults


def cache(
    func: Any = None, ignore: Any = None, verbose: int | None = None, mmap_mode: Any = False, cache_validation_callback: Any = None,
    **options: Any,
) -> Any:  # fmt: skip
    """Caches a function in the memory that the application sets with `set_memory`, or that ``NDCACHE_DIR`` names.

    Without either the function simply runs: a library decorates its functions, the application decides where results are stored.
    """
    return decorate(ANY, func, ignore, verbose, mmap_mode, cache_validation_callback, **options)


def _default_memory() -> Any:
    if not _default["is_set"] and os.environ.get("NDCACHE_DIR"):
        from ._memory import Memory

        _default.update(memory=Memory.from_env(), is_set=True)
    return _default["memory"]


def set_memory(memory: Any) -> None:
    """Sets where functions decorated with `cache` store their results: a `Memory`, a folder, or ``None`` for nowhere."""
    from ._memory import Memory

    if memory is not None and not isinstance(memory, _core.CoreMemory):
        memory = Memory(memory)
    _default.update(memory=memory, is_set=True)
    for function in list(_waiting):
        function.set_memory(memory)


def register_hasher(type: type, hasher: Any = None) -> Any:
    """Identifies values of a type, and of its subclasses, by what ``hasher(value)`` returns; without a hasher, returns a decorator.

    Returns the hasher. Raises `TypeError` for the types that have digests of their own.
    """
    if hasher is None:
        return functools.partial(register_hasher, type)
    _core.register_hasher(type, hasher)
    return hasher


TIERS = "; ndcache keeps results in folders alone, and reaches other machines by tiers: Memory(…, remote=…)"


def register_store_backend(name: str, backend: Any) -> None:
    """Raises: ndcache has no store backends; machines share results through tiers."""
    if not isinstance(name, str):
        raise ValueError(f"Store backend name should be a string: {name!r} given{TIERS}")
    if not isinstance(backend, type) or not any(base.__name__ == "StoreBackendBase" for base in backend.__mro__):
        raise ValueError(f"Store backend should inherit StoreBackendBase: {backend!r} given{TIERS}")
    raise NotImplementedError(f"store backend `{name}` isn't registered{TIERS}")
