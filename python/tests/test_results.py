"""Results come back as they were, whatever they hold, owned and mapped."""

from __future__ import annotations

import collections
import os
import pathlib
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sparse
from sklearn.svm import SVC
from support import answer, run

import ndcache
from ndcache import Memory, digest

PADDED = np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8], "itemsize": 16})

PLAIN = {
    "None": None,
    "True": True,
    "int": 7,
    "negative": -(2**63),
    "float": -0.0,
    "text": "né😀",
    "bytes": b"\x00\xff",
    "list": [1, [2.0, "3"], []],
    "tuple": (1, (2.0, "3"), ()),
    "nested": {"a": [1, (2,)], "b": {3: None}},
    "dict order": {"b": 1, "a": 2},
    "scalar": np.float32(1.5),
    "int64": np.int64(1),
    "bool_": np.bool_(True),
    "datetime64": np.datetime64("2026-01-01", "ns"),
    "0-d": np.array(1.5),
    "array": np.arange(6.0).reshape(2, 3),
    "large": np.arange(60_000.0).reshape(200, 300),
    "fortran": np.asfortranarray(np.arange(60_000.0).reshape(200, 300)),
    "big endian": np.arange(20_000, dtype=">i4"),
    "dates": np.arange(5).astype("M8[s]"),
    "texts": np.array(["a", "bcd"]),
    "structured": np.zeros(3, dtype=[("a", "i4"), ("b", "f8", (2,))]),
    "empty": np.empty((0, 3)),
    "half": np.ones(3, "f2"),
    "longdouble": np.ones(3, np.longdouble) / 3,
    "several": (np.arange(3), [np.arange(4), {"x": np.arange(5)}], np.float64(2)),
}

OTHER = {
    "2**80": 2**80,
    "surrogate": "\ud800",
    "set": {1, 2},
    "frozenset": frozenset({"a"}),
    "complex": 1j,
    "float key": {1.5: 2},
    "bytearray": bytearray(b"x"),
    "ordered": collections.OrderedDict(b=1, a=2),
    "object array": np.array([1, "a", None], dtype=object),
    "padded": np.zeros(3, PADDED),
    "masked": np.ma.array(np.arange(2000.0), mask=np.arange(2000) % 2),
    "frame": pd.DataFrame({"a": np.arange(5000.0), "b": list("abcde") * 1000, "c": pd.Categorical(list("xyxyx") * 1000)}),
    "dates": pd.Series(pd.date_range("2026-01-01", periods=3000, tz="Europe/Berlin")),
    "sparse": sparse.random_array((300, 300), density=0.1, rng=np.random.default_rng(1), format="csr"),
    "S0": np.array([b""], dtype="S0") if False else np.array(["", ""], dtype="U0"),
}


def identity(value):
    return value


@pytest.mark.parametrize("name", [*PLAIN, *(f"other {name}" for name in OTHER)])
@pytest.mark.parametrize("compress", [False, True])
def test_a_result_comes_back_as_it_was(tmp_path, name, compress):
    value = OTHER[name[6:]] if name.startswith("other ") else PLAIN[name]
    memory = Memory(tmp_path / "cache", verbose=0, compress=compress)
    cached = memory.cache(identity)
    first, second = cached(value), cached(value)
    assert memory.stats()["hits"] == 1, name
    assert type(first) is type(second) is type(value)
    assert digest(first) == digest(second) == digest(value)
    if isinstance(value, np.ndarray) and type(value) is np.ndarray:
        assert second.dtype == value.dtype and second.shape == value.shape and second.flags.writeable
        assert second.flags.f_contiguous == value.flags.f_contiguous


def test_results_come_back_in_another_process(tmp_path):
    program = """
    import json, sys
    sys.path.insert(0, sys.argv[2])
    import numpy as np, ndcache, test_results as t
    from ndcache import Memory, digest
    memory = Memory(sys.argv[1], verbose=0)
    cached = memory.cache(t.identity)
    values = {**t.PLAIN, **{"other " + name: value for name, value in t.OTHER.items()}}
    bad = [name for name, value in values.items() if digest(cached(value)) != digest(value)]
    print(json.dumps([bad, memory.stats()["hits"], memory.stats()["misses"]]))
    """
    here = os.path.dirname(__file__)
    count = len(PLAIN) + len(OTHER)
    assert answer(program, tmp_path / "c", here) == [[], 0, count]
    assert answer(program, tmp_path / "c", here) == [[], count, 0]


def test_aliases_within_a_result_stay_aliases(memory):
    @memory.cache
    def shared(n):
        row = np.zeros(n)
        return [row, row, {"row": row}]

    for _ in range(2):
        first, second, third = shared(1000)
        assert first is second is third["row"]


def test_a_strided_result_is_normalised_at_the_first_call_too(memory):
    @memory.cache
    def strided(n):
        return np.arange(n * n, dtype=float).reshape(n, n)[::2, ::2]

    first, second = strided(10), strided(10)
    assert first.flags.c_contiguous and first.strides == second.strides
    assert (first == second).all()


def test_changing_a_result_changes_no_later_hit(memory):
    @memory.cache
    def make(n):
        return {"a": np.zeros(n), "l": [1]}

    make(3)
    for n in (3, 5000):
        for _ in range(3):
            value = make(n)
            assert (value["a"] == 0).all() and value["l"] == [1]
            value["a"][:] = 7
            value["l"].append(2)


def test_maps_are_true_memmaps_at_the_first_call_and_later(tmp_path):
    memory = Memory(tmp_path / "c", mmap_mode="r", verbose=0)

    @memory.cache
    def make(n):
        return np.arange(n, dtype="f8").reshape(-1, 2), {"x": [np.ones(n, "f4")]}, "text"

    for n in (10, 100_000):
        for _ in range(3):
            array, inner, text = make(n)
            assert type(array) is type(inner["x"][0]) is np.memmap and text == "text"
            assert array.mode == "r" and not array.flags.writeable and os.path.exists(array.filename)
            assert (np.load(array.filename) == array).all()
            with pytest.raises(ValueError):
                array[0] = 1
        assert (array == np.arange(n).reshape(-1, 2)).all()


def test_maps_that_may_be_written_change_nothing_that_is_stored(tmp_path):
    memory = Memory(tmp_path / "c", mmap_mode="c", verbose=0)
    cached = memory.cache(lambda n: np.zeros(n))
    for n in (10, 100_000):
        for _ in range(3):
            array = cached(n)
            assert type(array) is np.memmap and array.mode == "c" and (array == 0).all()
            array[:] = 1
    with pytest.warns(ndcache.CacheWarning, match="never written"):
        from ndcache import _messages

        _messages._said.discard("mmap_mode")
        Memory(tmp_path / "c", mmap_mode="r+", verbose=0)
    with pytest.warns(ndcache.CacheWarning, match="never written"):
        _messages._said.discard("mmap_mode")
        memory.cache(np.zeros, mmap_mode="w+")
    with pytest.warns(ndcache.CacheWarning, match="aren't mapped"):
        _messages._said.discard("compress")
        Memory(tmp_path / "c", mmap_mode="r", compress=True, verbose=0)
    with pytest.warns(ndcache.CacheWarning, match="aren't mapped"):
        _messages._said.discard("compress")
        memory.cache(np.ones, compress=3)
    with pytest.warns(ndcache.CacheWarning, match="backend_options"):
        _messages._said.discard("backend_options")
        Memory(tmp_path / "c", backend_options={"a": 1}, verbose=0)


def test_a_mapped_result_is_known_by_its_digest_unless_it_is_another_view(tmp_path):
    memory = Memory(tmp_path / "c", mmap_mode="r", verbose=0)
    make = memory.cache(lambda n: np.arange(n * n, dtype="f8").reshape(n, n))
    mapped = make(300)
    plain = np.array(mapped)
    assert digest(mapped) == digest(plain)
    for view in (lambda a: a.T, lambda a: a[1:], lambda a: a[:, ::2], lambda a: a.view("i8"), lambda a: a.reshape(-1), lambda a: a[:150].reshape(300, 150)):
        assert digest(view(mapped)) == digest(view(plain)) != digest(plain)


def test_a_map_outlives_the_entry_and_the_memory(tmp_path):
    memory = Memory(tmp_path / "c", mmap_mode="r", verbose=0)
    array = memory.cache(lambda n: np.arange(n, dtype="f8"))(100_000)
    memory.clear()
    del memory
    assert array.sum() == np.arange(100_000).sum()


def test_arrays_inside_of_objects_are_read_only_views_when_mapped(tmp_path):
    memory = Memory(tmp_path / "c", mmap_mode="r", verbose=0)
    cached = memory.cache(lambda n: collections.OrderedDict(x=np.arange(n, dtype="f8")))
    for _ in range(2):
        value = cached(50_000)
        assert not value["x"].flags.writeable and (value["x"] == np.arange(50_000)).all()


def test_what_cant_be_stored_is_returned_all_the_same(memory):
    @memory.cache
    def numbers(n):
        return (i for i in range(n))

    with pytest.warns(ndcache.CacheWarning, match="can't be stored"):
        assert list(numbers(3)) == [0, 1, 2]
    assert list(numbers(3)) == [0, 1, 2]


def test_a_function_that_changes_its_argument_isnt_stored(memory):
    @memory.cache
    def grow(items, array):
        items.append(1)
        array += 1
        return len(items)

    items, array = [], np.zeros(3)
    with pytest.warns(ndcache.CacheWarning, match="changed its argument `items`"):
        assert grow(items, array) == 1
    assert grow([], np.zeros(3)) == 1
    assert memory.stats()["hits"] == 0


def test_a_result_too_deep_or_long_for_a_plain_value_comes_back(memory):
    deep = 1
    for _ in range(100):
        deep = [deep]
    cached = memory.cache(identity)
    many = [[n] for n in range(5000)]
    for value in (deep, many):
        assert cached(value) == cached(value) == value


def test_a_very_deep_list_is_right(memory):
    value = 0
    for _ in range(100_000):
        value = [value]

    @memory.cache
    def depth(of):
        n = 0
        while isinstance(of, list):
            of, n = of[0], n + 1
        return n

    assert depth(value) == depth(value) == 100_000
    assert memory.stats()["hits"] == 1


PROGRAM_10 = """
import json, os, sys
import numpy as np, pandas as pd
from sklearn.svm import SVC
from ndcache import Memory
os.umask(0o002)
memory = Memory(sys.argv[1], verbose=0, shared=True)
count = 0

@memory.cache
def frame(n):
    global count
    count += 1
    return pd.DataFrame({"a": np.arange(n), "b": ["x"] * n})

@memory.cache
def fitted(n):
    global count
    count += 1
    x = np.arange(2 * n, dtype=float).reshape(n, 2)
    return SVC().fit(x, np.arange(n) % 2)

first = frame(1000)
assert first.equals(pd.DataFrame({"a": np.arange(1000), "b": ["x"] * 1000}))
first.loc[0, "a"] = 99
assert frame(1000).loc[0, "a"] == 0
model = fitted(40)
assert model.predict([[1.0, 2.0]]).shape == (1,)
model.C = 7
assert fitted(40).C == 1.0
print(json.dumps(count))
"""


def test_frames_and_fitted_models_hit_in_the_next_process_under_umask_002(tmp_path):
    assert answer(PROGRAM_10, tmp_path / "c") == 2
    assert answer(PROGRAM_10, tmp_path / "c") == 0


PROGRAM_9 = """
import json, sys
import numpy as np
from joblib import Parallel, delayed
from ndcache import Memory
memory = Memory(sys.argv[1], verbose=0, mmap_mode="r")
count = 0

@memory.cache
def make(n):
    global count
    count += 1
    return np.arange(n * n, dtype="f8").reshape(n, n)

@memory.cache
def total(m):
    global count
    count += 1
    return float(m[0].sum())

m = make(400)
assert total(m) == total(np.array(m)) == m[0].sum()
assert total(m.T) == m.T[0].sum() != total(m)
try:
    m[0] = 1
    raise SystemExit("written")
except ValueError:
    pass
rows = Parallel(n_jobs=2)(delayed(np.sum)(m[n : n + 100]) for n in range(0, 400, 100))
assert sum(rows) == m.sum()
kinds = Parallel(n_jobs=2)(delayed(type)(m) for _ in range(2))
assert all(kind is np.memmap for kind in kinds), kinds
print(json.dumps(count))
"""


def test_a_mapped_result_goes_on_to_functions_and_workers(tmp_path):
    assert answer(PROGRAM_9, tmp_path / "c") == 3
    assert answer(PROGRAM_9, tmp_path / "c") == 0


def test_types_of_arguments_make_their_own_results(tmp_path):
    program = """
    import json, sys
    import pandas as pd
    from ndcache import Memory
    memory = Memory(sys.argv[1], verbose=0)
    count = 0
    @memory.cache
    def frame(d):
        global count
        count += 1
        return pd.DataFrame(d)
    @memory.cache
    def same(x):
        global count
        count += 1
        return x
    for _ in range(2):
        assert list(frame({"a": [1], "b": [2]}).columns) == ["a", "b"]
        assert list(frame({"b": [2], "a": [1]}).columns) == ["b", "a"]
        assert [type(same(x)) for x in (1, 1.0, True)] == [int, float, bool]
    print(json.dumps(count))
    """
    assert answer(program, tmp_path / "c") == 5
    assert answer(program, tmp_path / "c") == 0


def test_a_reference_loads_later_and_elsewhere(memory, tmp_path):
    cached = memory.cache(lambda n: np.arange(n))
    reference = cached.call_and_shelve(5)
    again = pickle.loads(pickle.dumps(reference))
    assert (again.get() == np.arange(5)).all()
    assert digest(reference) == digest(again) != digest(np.arange(5))
    reference.clear()
    with pytest.raises(KeyError):
        again.get()


def test_models_predict_as_before(memory):
    x = np.random.default_rng(0).normal(size=(60, 3))
    y = (x[:, 0] > 0).astype(int)
    fit = memory.cache(lambda x, y: SVC().fit(x, y))
    assert (fit(x, y).predict(x) == fit(x, y).predict(x)).all()
    assert memory.stats()["hits"] == 1


def test_damaged_entries_are_computed_anew(memory):
    cached = memory.cache(lambda n: np.arange(n, dtype="f8"))
    cached(10_000)
    (entry,) = memory.entries()
    file = entry.files[0]
    os.chmod(file, 0o644)
    data = bytearray(open(file, "rb").read())
    data[-1] ^= 1
    open(file, "wb").write(data)
    assert not Memory(memory.location, verbose=0).verify()["intact"]
    out = run(
        """
        import sys, numpy as np
        from ndcache import Memory
        memory = Memory(sys.argv[1], verbose=0)
        print(memory.entries()[0].bytes > 0)
        """,
        memory.location,
    )
    assert out.strip() == "True"


@pytest.mark.parametrize("make", [
    lambda: list(np.arange(70_000.0)),
    lambda: [np.float64(0.5)] * 70_000,
    lambda: {"a": tuple(np.arange(70_000)), "b": [1, (2, [3])], "c": list(np.arange(2000.0))},
    lambda: [(np.float32(n), [n]) for n in range(400)] + list(np.arange(70_000, dtype="u1")),
    lambda: [x for n in range(40_000) for x in (np.float64(n), np.array([n]))],
], ids=["arange", "one", "nested", "mixed", "in turns"])  # fmt: skip
def test_any_number_of_numpys_scalars_is_stored(memory, make):
    calls = []
    cached = memory.cache(lambda x: calls.append(1) or make(), name="scalars", ignore_globals=["make", "calls"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = cached(1)
    again = cached(1)
    assert len(calls) == 1
    assert digest(first) == digest(again) == digest(make())


@pytest.mark.parametrize("number", [1, 1023, 1024, 1025, 5000])
def test_lists_tuples_and_scalars_are_told_apart_however_many_there_are(memory, number):
    value = [np.float64(0.5)] * number + [(1, [2]), np.array(3.0), [np.int8(4), ()]]
    cached = memory.cache(lambda x: value, name="told", ignore_globals=["value"])
    cached(1)
    again = cached(1)
    assert digest(again) == digest(value) and memory.stats()["hits"] == 1
    assert [type(item) for item in again] == [type(item) for item in value]


FROZEN = pathlib.Path(__file__).parents[2] / "data" / "v1"


@pytest.mark.parametrize("record", sorted(FROZEN.glob("f/*/??/*.record")), ids=lambda path: path.parts[-3])
def test_results_that_rust_has_stored_are_read_by_their_records(record):
    value = ndcache.read(record)
    arrays = [np.load(file) for file in sorted(record.parent.glob(f"{record.stem}.*.npy"))]
    found = value if isinstance(value, (list, tuple)) else [value]
    for array in arrays:
        assert any(isinstance(item, np.ndarray) and item.shape == array.shape for item in _leaves(found))


def _leaves(value):
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        yield from _leaves(list(value.values()))
    else:
        yield value
