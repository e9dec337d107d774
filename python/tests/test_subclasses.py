"""What users' subclasses of Python's, NumPy's and pandas' types add to their instances: it is part of the key."""

from __future__ import annotations

import array
import collections
import copyreg
import datetime
import decimal
import fractions
import functools
import io
import ipaddress
import pathlib
import warnings

import ndcache
import numpy as np
import pytest
from support import answer

KINDS = {
    datetime.date: (2020, 1, 2), datetime.datetime: (2020, 1, 2), datetime.time: (1,), datetime.timedelta: (1,), decimal.Decimal: ("1.5",),
    fractions.Fraction: (1, 2), pathlib.PosixPath: ("a",), pathlib.PurePosixPath: ("a",), np.float64: (1.5,), np.int64: (2,),
    np.str_: ("a",), ipaddress.IPv4Address: ("1.2.3.4",), ipaddress.IPv4Network: ("1.2.3.0/24",), collections.defaultdict: (int,),
    collections.Counter: ("aab",), collections.deque: ([1],), collections.OrderedDict: ({1: 2},), ValueError: ("a",), array.array: ("i", [1]),
    int: (3,), str: ("a",), float: (1.5,), list: ([1],), dict: ({1: 2},), set: ({1},), frozenset: ({1},), bytearray: (b"a",), complex: (1j,),
}  # fmt: skip


def made(base, tag, **entries):
    cls = type(f"Tagged{base.__name__}", (base,), {"__module__": __name__, **entries})
    item = cls(*KINDS[base])
    if tag is not None:
        item.tag = tag
    return item


@pytest.mark.parametrize("slots", [{}, {"__slots__": ("tag",)}], ids=["attribute", "slot"])
@pytest.mark.parametrize("base", KINDS, ids=lambda base: base.__name__)
def test_an_attribute_of_an_instance_of_a_subclass_counts(base, slots):
    try:
        one, same, other, none = (ndcache.digest(made(base, tag, **slots)) for tag in ("a", "a", "b", None))
    except TypeError as error:
        assert "nonempty __slots__ not supported" in str(error)  # Python has no such classes
        return
    assert one == same and len({one, other, none}) == 3


@pytest.mark.parametrize("base", [datetime.date, np.float64, pathlib.PosixPath])
def test_a_subclass_that_says_what_it_is_pickled_as_counts_by_that(base):
    def reduced(self):
        return type(self), KINDS[base], {"kind": self.tag}

    one, same, other = (ndcache.digest(made(base, tag, __reduce__=reduced, __reduce_ex__=lambda self, _: reduced(self))) for tag in "aab")
    assert one == same != other


@pytest.mark.parametrize("make", [
    lambda: io.StringIO("a"), lambda: io.BytesIO(b"a"), lambda: ValueError("a"), lambda: made(ValueError, None),
    lambda: made(collections.deque, None),
], ids=["stream", "stream of bytes", "exception", "own exception", "own deque"])  # fmt: skip
def test_a_look_at_an_object_changes_nothing_of_it(memory, make):
    value = make()
    assert ndcache.digest(value) == ndcache.digest(value) == ndcache.digest(make())
    look = memory.cache(lambda value: 7, name="look")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert look(value) == 7 == look(value)
    assert look.check_call_in_cache(make()) and memory.stats()["hits"] == 1


def test_an_exception_counts_alike_by_any_way_of_pickling_it_that_looks_at_its_attributes(monkeypatch):
    def pickled(error):
        vars(error)  # which gives it a dict
        return error.__reduce_ex__(5)

    # Libraries that other tests load have a way of their own.
    monkeypatch.delitem(copyreg.dispatch_table, KeyError, raising=False)
    before = ndcache.digest(KeyError("a"))
    monkeypatch.setitem(copyreg.dispatch_table, KeyError, pickled)
    value = KeyError("a")
    assert ndcache.digest(value) == ndcache.digest(value) == ndcache.digest(KeyError("a")) == before


def test_what_a_cached_property_of_a_subclass_computes_is_no_change(memory):
    class Day(datetime.date):
        @functools.cached_property
        def number(self):
            return self.toordinal()

    number = memory.cache(lambda day: day.number, name="number")
    assert number(Day(2020, 1, 2)) == number(Day(2020, 1, 2)) and number.check_call_in_cache(Day(2020, 1, 2))


def of_pandas():
    pd = pytest.importorskip("pandas")
    return {
        pd.DataFrame: lambda cls: cls({"a": [1]}), pd.Series: lambda cls: cls([1]), pd.Index: lambda cls: cls([1, 2]),
        pd.RangeIndex: lambda cls: cls(3), pd.MultiIndex: lambda cls: cls.from_arrays([[1], [2]]),
        pd.DatetimeIndex: lambda cls: cls(["2020-01-01"]), pd.Categorical: lambda cls: cls(["a"]), pd.CategoricalDtype: lambda cls: cls(["a"]),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["tag", "_tag"])
@pytest.mark.parametrize("at", range(8))
def test_an_attribute_of_a_subclass_of_pandas_counts_and_what_pandas_computes_doesnt(at, name):
    base, make = list(of_pandas().items())[at]
    cls = type(f"Tagged{base.__name__}", (base,), {"__module__": __name__, "_metadata": getattr(base, "_metadata", [])})
    items = [make(cls) for _ in range(3)]
    for item, tag in zip(items, "aab"):
        object.__setattr__(item, name, tag)
    one, same, other = map(ndcache.digest, items)
    # pandas makes one of its own indices in place of a subclass of `Index`: there a name with an underscore is pandas'.
    assert one == same and (one != other or (base.__name__, name) == ("Index", "_tag"))
    for use in (repr, hash, len, lambda item: item.is_unique, lambda item: item.dtypes, lambda item: item.get_indexer([1])):
        try:
            use(items[0])
        except (TypeError, AttributeError, ValueError, KeyError):
            continue
    assert ndcache.digest(items[0]) == one


def test_an_attribute_of_xarrays_subclasses_counts():
    xr = pytest.importorskip("xarray")
    cls = type("Tagged", (xr.DataArray,), {"__slots__": ("tag", "_unit"), "__module__": __name__})
    for name in ("tag", "_unit"):
        items = [cls([1.0]) for _ in range(3)]
        for item, tag in zip(items, "aab"):
            setattr(item, name, tag)
        one, same, other = map(ndcache.digest, items)
        assert one == same != other


PROGRAM = """
import datetime, decimal, json, pathlib, sys
import numpy as np
from ndcache import Memory

class Day(datetime.date): pass
class Amount(decimal.Decimal): __slots__ = ("unit",)
class Place(pathlib.PosixPath): pass
class Length(np.float64): pass

def tagged(item, name, value):
    setattr(item, name, value)
    return item

unit = sys.argv[1]
DAY, AMOUNT = tagged(Day(2020, 1, 2), "unit", unit), tagged(Amount("1.5"), "unit", unit)
PLACE, LENGTH = tagged(Place("a"), "unit", unit), tagged(Length(1.5), "unit", unit)
HELD = [tagged(Day(2020, 1, 2), "unit", unit)]
memory = Memory("cache", verbose=0)
of = lambda item: item.unit
fs = [memory.cache(f, name=f"f{n}") for n, f in enumerate((lambda: of(DAY), lambda: of(AMOUNT), lambda: of(PLACE), lambda: of(LENGTH), lambda: of(HELD[0])))]
print(json.dumps([[f() for f in fs], memory.stats()["misses"]]))
"""


def test_an_attribute_of_a_global_counts(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    expected = [("m", 5), ("m", 0), ("km", 5), ("m", 0), ("km", 0)]
    for unit, misses in expected:
        assert answer("program.py", unit, cwd=tmp_path) == [[unit] * 5, misses]
