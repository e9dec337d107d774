"""Digests of NumPy's, pandas' and xarray's objects: what of them is part of a key, and what is refused."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

import ndcache
from ndcache import Unkeyable, digest
from scipy import sparse


def _xarrays():
    import pandas as pd
    import xarray as xr

    days = pd.date_range("2026-01-01", periods=3)
    levels = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["letter", "number"])
    make = lambda **options: xr.DataArray(np.arange(3.0), dims="x", **options)  # noqa: E731
    return {
        "none": make(),
        "ints": make(coords={"x": [1, 2, 3]}),
        "other ints": make(coords={"x": [1, 2, 4]}),
        "small ints": make(coords={"x": np.array([1, 2, 3], "i4")}),
        "floats": make(coords={"x": [1.0, 2.0, 3.0]}),
        "texts": make(coords={"x": ["a", "b", "c"]}),
        "days": make(coords={"x": days}),
        "later days": make(coords={"x": days + pd.Timedelta("1D")}),
        "without an index": make(coords={"x": [1, 2, 3]}).drop_indexes("x"),
        "a second coordinate": make(coords={"x": [1, 2, 3], "mass": ("x", [0.1, 0.2, 0.3])}),
        "its other values": make(coords={"x": [1, 2, 3], "mass": ("x", [0.1, 0.2, 0.4])}),
        "a name": make(coords={"x": [1, 2, 3]}, name="wind"),
        "an attribute": make(coords={"x": [1, 2, 3]}, attrs={"unit": "m"}),
        "of a coordinate": make(coords={"x": ("x", [1, 2, 3], {"unit": "m"})}),
        "categories": xr.DataArray(np.arange(3.0), dims="x", coords={"x": pd.CategoricalIndex(["a", "b", "a"])}),
        "levels": xr.DataArray(np.arange(4.0), coords=xr.Coordinates.from_pandas_multiindex(levels, "x"), dims="x"),
        "other levels": xr.DataArray(np.arange(4.0), coords=xr.Coordinates.from_pandas_multiindex(levels[::-1], "x"), dims="x"),
        "a set": xr.Dataset({"v": make(coords={"x": [1, 2, 3]})}),
        "another set": xr.Dataset({"v": make(coords={"x": [1, 2, 4]})}),
        "a set with an attribute": xr.Dataset({"v": make(coords={"x": [1, 2, 3]})}, attrs={"unit": "m"}),
        "a variable": xr.Variable("x", [1, 2, 3]),
        "an index's variable": xr.IndexVariable("x", [1, 2, 3]),
    }


def test_xarrays_count_by_dims_coordinates_attributes_and_values():
    pytest.importorskip("xarray")
    one, again = _xarrays(), _xarrays()
    of = {name: digest(value) for name, value in one.items()}
    assert len(set(of.values())) == len(of), [names for names in itertools.combinations(of, 2) if of[names[0]] == of[names[1]]]
    for name, value in again.items():
        assert digest(value) == of[name], name
        assert digest(pickle.loads(pickle.dumps(value))) == of[name], name
        assert digest(value.copy(deep=True)) == of[name], name


def test_of_xarray_what_is_lazy_is_refused_until_it_is_loaded(tmp_path):
    xr = pytest.importorskip("xarray")
    pytest.importorskip("dask")
    plain = _xarrays()["a set"]
    with pytest.raises(Unkeyable, match="lazy"):
        digest(plain.chunk({"x": 1}))
    assert digest(plain.chunk({"x": 1}).load()) == digest(plain)
    plain.to_netcdf(tmp_path / "a.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "a.nc", engine="scipy") as opened:
        with pytest.raises(Unkeyable, match="lazy"):
            digest(opened)
        loaded = digest(opened.load())
        assert loaded == digest(pickle.loads(pickle.dumps(opened)))


def test_a_function_of_an_xarray_hits(tmp_path):
    pytest.importorskip("xarray")
    runs = []

    def mean(data):
        runs.append(1)
        return float(data.mean())

    cached = ndcache.Memory(tmp_path / "c", verbose=0).cache(mean)
    assert cached(_xarrays()["days"]) == cached(_xarrays()["days"]) == 1.0 and runs == [1]
    cached(_xarrays()["later days"])
    assert runs == [1, 1]


def test_equal_frames_count_alike_however_they_lie_in_memory():
    import pandas as pd

    one = pd.DataFrame({"a": [1, 2], "b": [3, 4], "c": [1.5, 2.5]})
    other = pd.DataFrame({"a": [1, 2]})
    other["b"] = [3, 4]
    other["c"] = [1.5, 2.5]
    assert digest(one) == digest(other) == digest(one.copy())
    changed = one.copy()
    changed.loc[1, "b"] = 5
    assert digest(changed) != digest(one)
    noted = one.copy()
    noted.attrs["unit"] = "m"
    assert digest(noted) != digest(one)
    flagged = one.copy().set_flags(allows_duplicate_labels=False)
    assert digest(flagged) != digest(one)


def test_attributes_of_subclasses_count():
    class Quantity(np.ndarray):
        pass

    metres, feet = np.arange(3.0).view(Quantity), np.arange(3.0).view(Quantity)
    metres.unit, feet.unit = "m", "ft"
    assert digest(metres) != digest(feet) != digest(np.arange(3.0))


def test_attributes_that_a_user_adds_to_a_librarys_objects_count():
    import pandas as pd
    import scipy.sparse as sparse

    with __import__("warnings").catch_warnings():
        __import__("warnings").simplefilter("ignore")
        for make in (lambda: pd.DataFrame({"a": [1]}), lambda: pd.Series([1]), lambda: sparse.csr_matrix([[1]]), lambda: np.ma.array([1, 2])):
            plain, noted = make(), make()
            noted.unit = "m"
            assert digest(plain) == digest(make()) != digest(noted), plain


def test_a_ufunc_made_of_a_function_counts_by_the_function():
    one, two, again = (np.frompyfunc(lambda x, k=k: x * k, 1, 1) for k in (1, 2, 1))
    assert digest(one) == digest(again) != digest(two)
    assert digest(np.frompyfunc(max, 2, 1)) != digest(np.frompyfunc(min, 2, 1))
    assert digest(np.frompyfunc(max, 2, 1, identity=0)) != digest(np.frompyfunc(max, 2, 1, identity=1))
    assert digest(np.add) == digest(np.add) != digest(np.multiply)


def test_a_function_that_names_the_masked_element_hits(memory):
    @memory.cache
    def f(x):
        return x is np.ma.masked, x

    for argument in (np.ma.masked, 1):
        assert f(argument)[0] is f(argument)[0] is (argument is np.ma.masked)
        assert f.check_call_in_cache(argument), f.why
    assert f(np.ma.masked)[1] is np.ma.masked


def test_what_a_subclass_of_a_sparse_matrix_keeps_and_the_order_of_a_dok_count():
    class Plain(sparse.csr_array):
        pass

    class Slotted(sparse.csr_array):
        __slots__ = ("_unit",)

    for cls in (Plain, Slotted):
        made = [cls([[1.0, 0.0]]) for _ in range(3)]
        for item, unit in zip(made, "aab"):
            item._unit = unit
        one, same, other = map(digest, made)
        assert one == same != other
    orders = [sparse.dok_array((2, 2)) for _ in range(2)]
    for order, places in zip(orders, ([(0, 0), (1, 1)], [(1, 1), (0, 0)])):
        for place in places:
            order[place] = 1.0
    assert list(orders[0].keys()) != list(orders[1].keys()) and digest(orders[0]) != digest(orders[1])
