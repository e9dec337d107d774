"""What is said: lines on `sys.stdout`, warnings, events of the logger `ndcache`."""

from __future__ import annotations

import atexit
import os
import re
import sys
import warnings

__all__ = ["CacheWarning"]

_said: set[str] = set()


class CacheWarning(UserWarning):
    """A call isn't cached as its caller may expect."""


def _log(level: str, text: str, *args: object) -> None:
    """Sends an event to the logger `ndcache`. Nobody listens to it before `logging` is loaded."""
    logging = sys.modules.get("logging")
    if not hasattr(logging, "NullHandler"):
        return
    logger = logging.getLogger("ndcache")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.log(getattr(logging, level), text, *args)


def _print(line: str) -> None:
    try:
        print(line, file=sys.stdout, flush=True)
    except (OSError, ValueError, AttributeError):
        pass  # What can't be printed is lost, and fails no call.


def _level() -> int:
    """How many frames up the caller stands who isn't of this package."""
    level, frame = 1, sys._getframe(1)
    here = os.path.dirname(__file__)
    while frame is not None and frame.f_code.co_filename.startswith(here):
        frame, level = frame.f_back, level + 1
    return level


class BadCall(TypeError, ValueError):
    """The arguments don't fit the function: a TypeError, as without a cache, and a ValueError, as with joblib."""


def misfit(error: TypeError, path: str) -> BadCall:
    """What is raised of a call that doesn't fit."""
    many = "Too many arguments for" if "positional argument" in str(error) and "given" in str(error) else "Wrong arguments for"
    return BadCall(f"{many} {path}: {error}")


def warn(text: str) -> None:
    _log("WARNING", text)
    warnings.warn(text, CacheWarning, stacklevel=_level())


def unsaid(error: Exception) -> None:
    """Writes to stderr what can't be said otherwise: the result is there, and an error in its place would lose it."""
    try:
        print(f"ndcache: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    except Exception:
        pass  # What can't be written is lost, and fails no call.


def warn_once(kind: str, text: str) -> None:
    if kind not in _said:
        _said.add(kind)
        warn(text)


def warn_of_compression(compress: object, mmap_mode: str | None) -> None:
    if compress and mmap_mode is not None:
        warn_once("compress", "compressed results aren't mapped: of `mmap_mode` remains that their arrays are read-only")


def mismatch(text: str) -> None:
    _log("ERROR", text)
    warnings.warn(text, CacheWarning, stacklevel=_level())


_PHRASE = re.compile(r"(?:code of|argument) `(captured|version of|extension|module) ([^`]*)`")


def reworded(why: str) -> str:
    """What a reason says, for people: captured values and versions are parts of the code, and named by what they are."""
    return _PHRASE.sub(r"\1 `\2`", why)


def calling(path: str, words: str, why: str, verbose: int) -> None:
    if verbose >= 20:
        _log("INFO", "Querying %s(%s)", path, words)
    _print(f"[Memory] Calling {path}({words})" + (f": {reworded(why)}" if why else ""))


def computed(path: str, words: str, seconds: float, not_stored: str | None, verbose: int) -> None:
    name = path.rsplit(".", 1)[-1]
    fate = "" if not_stored is None else f", not stored: {not_stored}"
    _print(f"[Memory] {name} took {span(seconds)}{fate}")


def hit(path: str, words: str, verbose: int) -> None:
    _print(f"[Memory] Loading {path}({words})")


def span(seconds: float) -> str:
    """A time span for people."""
    for unit, factor in (("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 1000 * factor:
            return f"{seconds / factor:.1f} {unit}"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min"


def prepared_folder(location, options) -> str:
    """The folder of a memory: absolute, and made so that only this user may enter it, unless it is shared."""
    path = os.path.abspath(os.path.expanduser(os.fspath(location)))
    mode = options.get("mode")
    if mode in ("read-only", "off") or os.path.isdir(path):
        return path
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    try:
        os.mkdir(path, 0o777 if options.get("shared") else 0o700)
    except FileExistsError:
        pass
    return path


# What was saved ------------------------------------------------------------------------------------------------------

_told: dict[str, object] = {}


def tell_at_exit(memory) -> None:
    """Has a line printed when the program ends: what the memory has saved."""
    if not _told:
        atexit.register(_tell)
    _told.setdefault(memory.location, memory)


def _tell() -> None:
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        return  # a worker
    for location, memory in _told.items():
        try:
            stats = memory.stats()
        except Exception:
            continue
        calls = stats["hits"] + stats["misses"]
        if stats["hits"]:
            _print(f"[Memory] saved {span(stats['saved'])}: {stats['hits']} of {calls} calls came from {location}")
