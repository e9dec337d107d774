"""Results that aren't plain values: pickles of protocol 5 with their arrays beside them, and maps of stored arrays."""

from __future__ import annotations

import io
import mmap
import os
import pickle
import shlex
import weakref

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
    """Objects of `__main__` that another process hasn't: local classes, lambdas."""
    try:
        import cloudpickle
    except ImportError:
        return None
    buffers: list[np.ndarray] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        if memoryview(buffer).nbytes <= _SMALL:
            return True
        buffers.append(np.frombuffer(buffer.raw(), np.uint8))
        return False

    try:
        stream = cloudpickle.dumps(value, protocol=5, buffer_callback=keep)
    except Exception:
        raise error from None
    return stream, buffers, False


def loads(stream: bytes, buffers: list[np.ndarray]):
    return pickle.loads(stream, buffers=[_flat(buffer) for buffer in buffers])


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
        return None  # Another's folder, into which only they may write: the record tells whose it is.
    return _why_not_ours(folder, stat.st_uid, stat.st_gid, stat.st_mode & 0o7777)
