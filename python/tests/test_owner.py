"""Whose pickles are loaded: loading one runs code."""

from __future__ import annotations

import os
import pathlib
import threading
import time
import warnings

import numpy as np
import pytest
from support import run

from ndcache import Memory, _decorate, _hashers, _pickling
from ndcache.__main__ import main as _  # the command is in the package


class Marks:
    """An object that leaves a file behind wherever it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return _mark, (self.path,)


def _mark(path):
    with open(path, "a") as file:
        file.write("x")
    return Marks(path)


def evil(path):
    return Marks(path)


def plain(n):
    return {"a": np.arange(n), "b": [1, (2,)]}


@pytest.fixture
def stored(tmp_path):
    """A folder with a pickle and a plain value, and where the pickle leaves its mark."""
    mark = str(tmp_path / "mark")
    memory = Memory(tmp_path / "c", verbose=0)
    memory.cache(evil)(mark)
    memory.cache(plain)(5000)
    assert not os.path.exists(mark)
    return tmp_path / "c", mark


def loads(folder, mark, **options):
    """Whether the pickle is loaded, and what is warned of."""
    if os.path.exists(mark):
        os.remove(mark)
    _decorate._made.clear()  # the next memory remembers nothing of earlier ones
    memory = Memory(folder, verbose=0, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert isinstance(memory.cache(evil)(mark), Marks)
        before = memory.stats()["misses"]
        assert (memory.cache(plain)(5000)["a"] == np.arange(5000)).all()
        assert memory.stats()["misses"] == before, "arrays and plain values load whosever they are"
    return os.path.exists(mark), [str(warning.message) for warning in caught]


def record_of(folder, name):
    (entry,) = [entry for entry in Memory(folder, verbose=0).entries() if entry.function.endswith(name)]
    return entry.path


def test_ones_own_pickle_is_loaded(stored):
    assert loads(*stored) == (True, [])


def test_folders_are_their_owners_alone_and_shared_ones_arent(tmp_path):
    before = os.umask(0o022)
    try:
        memory = Memory(tmp_path / "own", verbose=0)
        memory.cache(plain)(5000)
        shared = Memory(tmp_path / "shared", verbose=0, shared=True)
        shared.cache(plain)(5000)
    finally:
        os.umask(before)
    for root, folders, _ in os.walk(tmp_path / "own"):
        assert os.stat(root).st_mode & 0o777 == 0o700, root
    (entry,) = memory.entries()
    assert os.stat(entry.path).st_mode & 0o777 == 0o600
    assert os.stat(tmp_path / "shared").st_mode & 0o777 == 0o755
    (entry,) = shared.entries()
    assert os.stat(entry.path).st_mode & 0o777 == 0o644


def test_anothers_record_isnt_unpickled(stored, monkeypatch):
    folder, mark = stored
    record = record_of(folder, "evil")
    if os.geteuid() == 0:
        os.chown(record, 12345, -1)
    else:
        monkeypatch.setattr(_pickling.os, "geteuid", lambda: 12345)
    is_loaded, warned = loads(folder, mark)
    assert not is_loaded
    assert f"`{record}` belongs to user" in warned[0] and "pickle=" in warned[0], warned
    assert loads(folder, mark, pickle="any") == (True, [])


@pytest.mark.parametrize("above", range(5))
def test_what_anyone_may_write_to_isnt_unpickled(stored, above):
    folder, mark = stored
    # `above` chooses the record itself, or one of the folders from it up to the cache's.
    path = pathlib.Path(record_of(folder, "evil"))
    path = path if above == 0 else path.parents[above - 1]
    assert above < 4 or path == folder
    mode = path.stat().st_mode
    os.chmod(path, 0o777)
    is_loaded, warned = loads(folder, mark)
    assert not is_loaded
    assert f"anyone may write to `{path}` (mode 777): `chmod go-w {path}` closes it" in warned[0], warned
    assert loads(folder, mark, pickle="any")[0]
    os.chmod(path, mode)
    assert loads(folder, mark) == (True, [])


def test_what_was_refused_while_a_call_waited_is_computed(tmp_path):
    """One thread stores a pickle, another waits for it, and may not load it."""
    memory = Memory(tmp_path / "c", verbose=0, pickle="never")
    began = threading.Barrier(2)

    @memory.cache
    def make(n):
        time.sleep(0.3)
        return {n, n + 1}

    def call():
        began.wait()
        got.append(make(3))

    got: list[object] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=call) for _ in range(2)]
        [thread.start() for thread in threads]
        [thread.join(60) for thread in threads]
    assert got == [{3, 4}] * 2


def test_a_group_may_write_if_it_is_the_owners_own(stored, monkeypatch):
    folder, mark = stored
    os.chmod(record_of(folder, "evil"), 0o664)
    assert loads(folder, mark) == (True, [])
    monkeypatch.setattr(_pickling, "_groups", {os.geteuid(): 54321})
    is_loaded, warned = loads(folder, mark)
    assert not is_loaded and "group" in warned[0]


def test_never_means_that_no_unpickler_is_met(stored, monkeypatch):
    folder, mark = stored

    def met(*args, **kwargs):
        raise AssertionError("an unpickler was met")

    monkeypatch.setattr(_pickling.pickle, "loads", met)
    monkeypatch.setattr(_pickling, "loads", met)
    is_loaded, warned = loads(folder, mark, pickle="never")
    assert not is_loaded and "never" in warned[0]
    monkeypatch.setenv("NDCACHE_PICKLE", "never")
    assert not loads(folder, mark)[0]
    with pytest.raises(ValueError, match='expected "own"'):
        Memory(folder, pickle="maybe")


def test_a_poisoned_import_is_never_unpickled(stored, tmp_path):
    folder, mark = stored
    program = "import sys; from ndcache._core import main; sys.exit(main(['ndcache', *sys.argv[1:]]))"
    tar, other = tmp_path / "cache.tar", tmp_path / "other"
    Memory(other, verbose=0)
    keys = [entry.key for entry in Memory(folder, verbose=0).entries()]
    run(program, "-C", folder, "export", "--with-pickles", "-o", tar, *keys)
    run(program, "-C", other, "import", "--with-pickles", tar)
    is_loaded, warned = loads(other, mark)
    assert not is_loaded and "import" in warned[0], warned
    assert loads(other, mark, pickle="any")[0]


def evil_and_slow(path):
    time.sleep(0.2)
    return Marks(path)


def test_a_pickle_of_a_shared_folder_is_never_unpickled(tmp_path, monkeypatch):
    mark, team = str(tmp_path / "mark"), tmp_path / "team"
    poisoned = Memory(tmp_path / "one", verbose=0, remote=f"rw:{team}")
    poisoned.cache(evil_and_slow)(mark)
    poisoned.flush(timeout=60)
    (counts,) = poisoned.stats()["by_tier"].values()
    assert counts["uploads"] == 1, "nothing was planted"

    def of_victim(folder, **options):
        memory = Memory(tmp_path / folder, verbose=0, remote=str(team), **options)
        assert isinstance(memory.cache(evil_and_slow)(mark), Marks)
        (counts,) = memory.stats()["by_tier"].values()
        return memory.stats()["misses"], counts["hits"], os.path.exists(mark)

    assert of_victim("two") == (1, 0, False)
    assert of_victim("three", pickle="never") == (1, 0, False)
    # A memory that trusts all pickles gets the value: so it was there.
    assert of_victim("four", pickle="any") == (0, 1, True)
    os.remove(mark)
    monkeypatch.setenv("NDCACHE_PICKLE", "any")
    assert of_victim("five") == (0, 1, True)


OBJECTS = ["|O", "O", "O8", "|O8", "object", "object_", "3O", "f4,O", "[('a', '|O')]", "[('a', 'object')]", '[("a", "O8")]']


@pytest.mark.parametrize("descr", [*OBJECTS, "[('a', '<f4'), ('b', [('c', '|O')], (2,))]", "[('a', ('O', (2,)))]"])
def test_no_bytes_of_a_file_become_objects(descr):
    """The engine refuses all of these; the dtype that NumPy makes of the text is checked once more."""
    with pytest.raises(ValueError, match="objects"):
        _hashers.dtype_of(descr)


def test_a_dtype_comes_back_from_its_text():
    for dtype in ["<f8", "|S7", "<M8[25s]", [("a", "<f4"), ("b", "<i8", (2,))]]:
        dtype = np.dtype(dtype)
        assert _hashers.dtype_of(_hashers.plain_descr(dtype)) == dtype


WALLS = """
import sys, warnings, numpy as np, ndcache
from ndcache import Memory, _hashers
memory = Memory(sys.argv[1], verbose=0, mmap_mode=None)
f = memory.cache(lambda n: np.full(n, np.datetime64("2020-01-01", "D")), name="f")
n = int(sys.argv[2])
f(n)
spoilt = {
    "dtype of objects": ("dtype_of", lambda descr: np.dtype(object)),
    "dtype of fewer bytes": ("dtype_of", lambda descr: np.dtype("i2")),
    "dtype of more bytes": ("dtype_of", lambda descr: np.dtype("V80")),
    "array of objects": ("empty", lambda shape, dtype, order: np.empty(shape, object)),
    "array of fewer bytes": ("empty", lambda shape, dtype, order: np.empty(shape, "i2")),
    "array of fewer elements": ("empty", lambda shape, dtype, order: np.empty(1, dtype)),
}
name, spoil = spoilt[sys.argv[3]]
setattr(_hashers, name, spoil)
try:
    print("loaded", ndcache.read(f.path(n)).dtype)
except ValueError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("wall", ["dtype of objects", "dtype of fewer bytes", "dtype of more bytes", "array of objects",
                                  "array of fewer bytes", "array of fewer elements"])  # fmt: skip
def test_an_array_whose_dtype_numpy_takes_otherwise_than_its_record_is_refused(tmp_path, wall):
    """Even behind the engine, which refuses all of these, no bytes become objects or are copied past an array's end."""
    assert run(WALLS, tmp_path / "c", 1000, wall).startswith("refused: ")
