"""Results that aren't plain values: pickles of protocol 5 with their arrays beside them, and maps of stored arrays."""

from __future__ import annotations

import functools
import io
import mmap
import os
import pickle
import shlex
import sys
import types
import weakref
from collections.abc import Iterator

import numpy as np

_SMALL = 4096


class _Pickler(pickle.Pickler):
    """Keeps large buffers out of the stream, and notes arrays that come back with other strides."""

    def __init__(self, file: io.BytesIO) -> None:
        self.buffers: list[np.ndarray] = []
        self.differs = False
        super().__init__(file, protocol=5, buffer_callback=self._buffer)

    def reducer_override(self, value):
        if type(value) is np.ndarray:
            if not (value.flags.c_contiguous or value.flags.f_contiguous):
                self.differs = True
        elif type(value) is np.memmap:
            self.differs = True
            return np.asarray(value).__reduce_ex__(5)
        return NotImplemented

    def _buffer(self, buffer: pickle.PickleBuffer) -> bool:
        view = memoryview(buffer)
        if view.nbytes <= _SMALL:
            return True
        owner = view.obj
        if type(owner) is np.ndarray and not owner.dtype.hasobject and owner.dtype.names is None:
            self.buffers.append(owner)
        else:
            self.buffers.append(np.frombuffer(buffer.raw(), np.uint8))
        return False


def dumps(value) -> tuple[bytes, list[np.ndarray], bool]:
    """The stream, its buffers as arrays, and whether the value comes back with other strides."""
    file = io.BytesIO()
    pickler = _Pickler(file)
    try:
        pickler.dump(value)
    except (pickle.PicklingError, AttributeError) as error:
        retried = _by_cloudpickle(value, error)
        if retried is None:
            raise
        return retried
    return file.getvalue(), pickler.buffers, pickler.differs


def _by_cloudpickle(value, error):
    """Objects of `__main__` that another process hasn't: local classes, lambdas, and in workers the script's own classes."""
    cloudpickle = _cloudpickle()
    if cloudpickle is None:
        return None
    buffers: list[np.ndarray] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        if memoryview(buffer).nbytes <= _SMALL:
            return True
        buffers.append(np.frombuffer(buffer.raw(), np.uint8))
        return False

    class Pickler(cloudpickle.CloudPickler):
        def reducer_override(self, item):
            if isinstance(item, type) and item.__module__ == "__main__" and "<locals>" not in item.__qualname__:
                return _class_of_script, (item.__qualname__, cloudpickle.dumps(item, protocol=5))
            return super().reducer_override(item)

    file = io.BytesIO()
    try:
        Pickler(file, protocol=5, buffer_callback=keep).dump(value)
    except Exception:
        raise error from None
    return file.getvalue(), buffers, False


class _Nowhere(io.RawIOBase):
    """Takes everything, and keeps nothing."""

    def write(self, data):
        return memoryview(data).nbytes


_BY_NAME = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)


def held(value) -> set[int]:
    """The addresses of all objects that come back with the value when it is loaded, each as it is now.

    None of functions, classes and modules: a pickle has their names.
    """
    found: set[int] = set()

    def note(item):
        if not isinstance(item, _BY_NAME):
            found.add(id(item))

    class Pickler(_Pickler):
        def __init__(self):
            super().__init__(_Nowhere())

        persistent_id = staticmethod(note)

    try:
        Pickler().dump(value)
    except (pickle.PicklingError, AttributeError):
        cloudpickle = _cloudpickle()
        if cloudpickle is None:
            return set()

        class ByValue(cloudpickle.CloudPickler):
            persistent_id = staticmethod(note)

        found.clear()
        try:
            ByValue(_Nowhere(), protocol=5, buffer_callback=lambda buffer: False).dump(value)
        except Exception:
            return set()
    except Exception:
        return set()  # it can't be stored
    return found


def _cloudpickle():
    """The package, or joblib's copy of it: by one of them workers have the script's classes. ``None`` if there is neither."""
    for name in ("joblib.externals.cloudpickle", "cloudpickle"):
        if name in sys.modules:
            return sys.modules[name]
    try:
        import cloudpickle
    except ImportError:
        return None
    return cloudpickle


def _class_of_script(name: str, stream: bytes):
    """The script's class of this name, as in what the script itself stores; where there is none, a copy of the stored one.

    Stored pickles name this function.
    """
    return next(_named_by_script(name), None) or pickle.loads(stream)


def _named_by_script(name: str) -> Iterator[object]:
    """Yields what the script calls so; in a worker, which hasn't run the script, the classes that cloudpickle has brought."""
    try:
        yield functools.reduce(getattr, name.split("."), sys.modules["__main__"])
    except AttributeError:
        pass
    for module in ("joblib.externals.cloudpickle.cloudpickle", "cloudpickle.cloudpickle"):
        brought = getattr(sys.modules.get(module), "_DYNAMIC_CLASS_TRACKER_BY_ID", {})
        yield from (cls for cls in reversed(list(brought.values())) if (cls.__module__, cls.__qualname__) == ("__main__", name))


class _Unpickler(pickle.Unpickler):
    """Finds the script's classes in workers, too, and those that workers of `multiprocessing` have stored.

    There the script is another module than `__main__`.
    """

    def find_class(self, module: str, name: str):
        if module in ("__main__", "__mp_main__"):
            for found in _named_by_script(name):
                return found
        return super().find_class(module, name)


def loads(stream: bytes, buffers: list[np.ndarray]):
    flat = [_flat(buffer) for buffer in buffers]
    if b"main__" in stream:
        return _Unpickler(io.BytesIO(stream), buffers=flat).load()
    return pickle.loads(stream, buffers=flat)


def _flat(buffer: np.ndarray) -> np.ndarray:
    """The bytes of an array in the order in which they lie in memory."""
    plain = buffer.view(np.ndarray)
    order = "F" if plain.flags.f_contiguous and not plain.flags.c_contiguous else "C"
    return plain.reshape(-1, order=order).view(np.uint8)


# The read-only maps that are alive, by file: files of a cache are never written again.
_maps: weakref.WeakValueDictionary[str, mmap.mmap] = weakref.WeakValueDictionary()


def memmap(path, offset: int, shape, dtype, order: str, mode: str):
    """A true `np.memmap` of a stored array; None if the file can't be mapped."""
    path = os.fspath(path)
    size = 1
    for length in shape:
        size *= length
    size *= dtype.itemsize
    if size == 0:
        return None
    kept = _maps.get(path) if mode == "r" else None
    if kept is None:
        access = mmap.ACCESS_READ if mode == "r" else mmap.ACCESS_COPY
        try:
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o222:
                    return None  # Somebody may change it in place.
                kept = mmap.mmap(file.fileno(), offset + size, access=access)
        except (OSError, ValueError):
            return None
        if mode == "r":
            _maps[path] = kept
    made = np.ndarray.__new__(np.memmap, shape, dtype=dtype, buffer=kept, offset=offset, order=order)
    made._mmap = kept
    made.offset = offset
    made.filename = path
    made.mode = mode
    return made


# Trust ---------------------------------------------------------------------------------------------------------------

_groups: dict[int, int | None] = {}


def _primary_group(uid: int) -> int | None:
    if uid not in _groups:
        try:
            import pwd

            _groups[uid] = pwd.getpwuid(uid).pw_gid
        except (ImportError, KeyError):
            _groups[uid] = os.getegid() if uid == os.geteuid() else None
    return _groups[uid]


def _why_not_ours(path: str, uid: int, gid: int, mode: int) -> str | None:
    cure = f"`chmod go-w {shlex.quote(path)}` closes it"
    if uid not in (os.geteuid(), 0):
        return f"`{path}` belongs to user {uid}"
    if mode & 0o002:
        return f"anyone may write to `{path}` (mode {mode & 0o777:o}): {cure}"
    if mode & 0o020 and gid != _primary_group(uid):
        return f"group {gid} may write to `{path}` (mode {mode & 0o777:o}): {cure}"
    return None


def why_refused(uid: int, gid: int, mode: int, record: str | None, root: str | None) -> str | None:
    """Why a pickle of a record with this owner and mode isn't loaded; None if it may be.

    Whoever may write to one of the folders above the record can put older records of the same call in its place.
    """
    why = _why_not_ours(os.fspath(record or "its record"), uid, gid, mode)
    for folder in _folders(record, root):
        if why is not None:
            break
        why = _why_not_closed(folder)
    if why is None:
        return None
    return f"{why}. Loading a pickle runs code, and `pickle=\"any\"` loads all if you trust everybody who may write there"


def _folders(record: str | None, root: str | None) -> list[str]:
    """The folder of a cache, and those between it and a record."""
    if root is None:
        return []
    folders, last = [os.fspath(root)], os.path.dirname(os.fspath(record or root))
    while len(last) > len(folders[0]) and last.startswith(folders[0]):
        folders.insert(1, last)
        last = os.path.dirname(last)
    return folders


def _why_not_closed(folder: str) -> str | None:
    try:
        stat = os.stat(folder)
    except OSError:
        return None
    if stat.st_uid not in (os.geteuid(), 0) and not stat.st_mode & 0o022:
        return None  # It is another user's, and only they may write into it: the record tells whose the pickle is.
    return _why_not_ours(folder, stat.st_uid, stat.st_gid, stat.st_mode & 0o7777)
