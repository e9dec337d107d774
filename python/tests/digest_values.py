"""Values of many kinds, made anew in each process; printed with their digests when it is run."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import random
import re
import types
import uuid
import zoneinfo

import numpy as np
import pandas as pd
import scipy.sparse as sparse


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Bits(enum.Flag):
    A = 1
    B = 2


@dataclasses.dataclass
class Point:
    x: float
    y: float


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class MyList(list):
    pass


class MyDict(dict):
    pass


class MyInt(int):
    pass


class MyStr(str):
    pass


Named = collections.namedtuple("Named", "a b")


def cyclic_list():
    value = [1, 2]
    value.append(value)
    return value


def cyclic_dict():
    value = {"a": 1}
    value["self"] = {"of": value}
    return value


def friends(count=9):
    all_ = [Plain(n=n) for n in range(count)]
    for one in all_:
        one.friends = list(all_)
    return all_[0]


def set_in_cycle():
    value = Plain(names={"a", "b", "c", "dd", "eee"}, more=frozenset("hello world"))
    value.me = value
    return value


def values() -> dict[str, object]:
    """Returns values by their names; functions tell any two of them apart."""
    base = np.arange(24, dtype="i8").reshape(4, 6)
    words = ["a", "b", "c", "dd", "eee", "ff"]
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [1.0, 2.0, np.nan], "c": ["x", "y", "z"]})
    padded = np.zeros(3, dtype=np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8], "itemsize": 16}))
    return {
        "None": None,
        "True": True,
        "False": False,
        "0": 0,
        "1": 1,
        "-1": -1,
        "1.0": 1.0,
        "0.0": 0.0,
        "-0.0": -0.0,
        "nan": float("nan"),
        "inf": float("inf"),
        "1j": 1j,
        "nanj": complex(float("nan"), 1),
        "2**63": 2**63,
        "-2**63-1": -(2**63) - 1,
        "2**200": 2**200,
        "'1'": "1",
        "''": "",
        "b'1'": b"1",
        "b''": b"",
        "bytearray": bytearray(b"1"),
        "memoryview": memoryview(b"1") if False else bytearray(b"2"),
        "surrogate": "\ud800",
        "astral": "\U0001f600",
        "()": (),
        "[]": [],
        "{}": {},
        "set()": set(),
        "frozenset()": frozenset(),
        "(1,)": (1,),
        "[1]": [1],
        "[1.0]": [1.0],
        "[True]": [True],
        "['1']": ["1"],
        "[[1]]": [[1]],
        "[1, 2]": [1, 2],
        "[2, 1]": [2, 1],
        "[1, '2']": [1, "2"],
        "[1, 2, 3] long": list(range(20_000)),
        "((1, 2), 3)": ((1, 2), 3),
        "(1, (2, 3))": (1, (2, 3)),
        "{1}": {1},
        "frozenset({1})": frozenset({1}),
        "set of words": set(words),
        "frozenset of words": frozenset(words),
        "dict ab": {"a": 1, "b": 2},
        "dict ba": {"b": 2, "a": 1},
        "ordered ab": collections.OrderedDict(a=1, b=2),
        "ordered ba": collections.OrderedDict(b=2, a=1),
        "defaultdict": collections.defaultdict(int, a=1, b=2),
        "counter": collections.Counter("abca"),
        "deque": collections.deque([1, 2]),
        "deque maxlen": collections.deque([1, 2], maxlen=5),
        "mappingproxy": types.MappingProxyType({"a": 1, "b": 2}),
        "namespace": types.SimpleNamespace(a=1, b=2),
        "dict 1": {1: 2},
        "dict 1.0": {1.0: 2},
        "dict True": {True: 2},
        "np.int64": np.int64(1),
        "np.int32": np.int32(1),
        "np.uint8": np.uint8(1),
        "np.float64": np.float64(1),
        "np.float32": np.float32(1),
        "np.nan": np.float64("nan"),
        "np.bool": np.bool_(True),
        "np.str": np.str_("1"),
        "np.bytes": np.bytes_(b"1"),
        "np.complex": np.complex64(1),
        "np.longdouble": np.longdouble(1) / 3,
        "np.datetime64": np.datetime64("2026-01-01"),
        "np.datetime64 ns": np.datetime64("2026-01-01", "ns"),
        "np.timedelta64": np.timedelta64(1, "D"),
        "0-d": np.array(1),
        "1-d": np.array([1]),
        "2-d": np.array([[1]]),
        "array": base,
        "array T": base.T,
        "array F": np.asfortranarray(base),
        "array strided": base[:, ::2],
        "array f8": base.astype("f8"),
        "array >i8": base.astype(">i8"),
        "array u1": base.astype("u1"),
        "array bool": base.astype(bool),
        "array M8": base.astype("M8[D]"),
        "array M8 s": base.astype("M8[s]"),
        "array m8": base.astype("m8[s]"),
        "array U": np.array(words),
        "array S": np.array(words).astype("S3"),
        "array longdouble": np.arange(3, dtype=np.longdouble) / 3,
        "array O": np.array([1, "a", None], dtype=object),
        "array O 2": np.array([1.0, "a", None], dtype=object),
        "array empty": np.empty((0, 3)),
        "array empty 2": np.empty((3, 0)),
        "structured": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        "structured names": np.array([(1, 2.0)], dtype=[("a", "i4"), ("c", "f8")]),
        "padded": padded,
        "recarray": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        "masked": np.ma.array([1, 2, 3], mask=[0, 1, 0]),
        "masked none": np.ma.array([1, 2, 3]),
        "matrix": np.matrix([[1, 2]]),
        "dtype": np.dtype("f8"),
        "dtype f4": np.dtype("f4"),
        "dtype structured": np.dtype([("a", "i4")]),
        "np.float64 type": np.float64,
        "generator": np.random.default_rng(3),
        "random": random.Random(3),
        "Decimal 1.0": decimal.Decimal("1.0"),
        "Decimal 1.00": decimal.Decimal("1.00"),
        "Fraction": fractions.Fraction(1, 3),
        "date": datetime.date(2026, 1, 2),
        "datetime": datetime.datetime(2026, 1, 2),
        "datetime fold": datetime.datetime(2026, 1, 2, fold=1),
        "datetime utc": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
        "datetime berlin": datetime.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        "time": datetime.time(1),
        "timedelta": datetime.timedelta(1),
        "uuid": uuid.UUID(int=7),
        "path": pathlib.Path("a/b"),
        "pure path": pathlib.PurePosixPath("a/b"),
        "windows path": pathlib.PureWindowsPath("a/b"),
        "regex": re.compile("a+"),
        "regex flags": re.compile("a+", re.I),
        "range": range(3),
        "range step": range(0, 3, 2),
        "slice": slice(1, 2),
        "...": ...,
        "int": int,
        "len": len,
        "str.upper": str.upper,
        "method": "abc".upper,
        "partial": functools.partial(int, base=2),
        "partial 3": functools.partial(int, base=3),
        "enum": Colour.RED,
        "enum blue": Colour.BLUE,
        "flag": Bits.A | Bits.B,
        "dataclass": Point(1.0, 2.0),
        "dataclass 2": Point(2.0, 1.0),
        "slots": Slotted(1, 2),
        "plain": Plain(a=1, b=2),
        "plain c": Plain(a=1, c=2),
        "my list": MyList([1]),
        "my dict": MyDict(a=1),
        "my int": MyInt(1),
        "my str": MyStr("1"),
        "namedtuple": Named(1, 2),
        "cyclic list": cyclic_list(),
        "cyclic dict": cyclic_dict(),
        "friends": friends(),
        "friends 8": friends(8),
        "set in cycle": set_in_cycle(),
        "exception": ValueError("a"),
        "frame": frame,
        "frame order": frame[["b", "a", "c"]],
        "frame index": frame.set_index("a"),
        "frame index name": frame.rename_axis("row"),
        "frame f4": frame.astype({"b": "f4"}),
        "series": frame["a"],
        "series b": frame["b"],
        "series unnamed": frame["a"].rename(None),
        "Index": pd.Index([1, 2]),
        "Index name": pd.Index([1, 2], name="i"),
        "RangeIndex": pd.RangeIndex(1, 3),
        "MultiIndex": pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]),
        "dates": pd.date_range("2026-01-01", periods=3),
        "dates utc": pd.date_range("2026-01-01", periods=3, tz="UTC"),
        "dates berlin": pd.date_range("2026-01-01", periods=3, tz="Europe/Berlin"),
        "dates hours": pd.date_range("2026-01-01", periods=3, freq="h"),
        "Timestamp": pd.Timestamp("2026-01-01"),
        "Timedelta": pd.Timedelta("1D"),
        "Period": pd.Period("2026-01"),
        "periods": pd.period_range("2026-01", periods=3),
        "intervals": pd.interval_range(0, 3),
        "categorical": pd.Categorical(["a", "b"]),
        "categorical order": pd.Categorical(["a", "b"], categories=["b", "a"]),
        "categorical ordered": pd.Categorical(["a", "b"], ordered=True),
        "Int64": pd.array([1, None], dtype="Int64"),
        "boolean": pd.array([True, None], dtype="boolean"),
        "string": pd.array(["a", None], dtype="string"),
        "NA": pd.NA,
        "NaT": pd.NaT,
        "csr": sparse.csr_array([[1, 0], [0, 2]]),
        "csr matrix": sparse.csr_matrix([[1, 0], [0, 2]]),
        "csc": sparse.csc_array([[1, 0], [0, 2]]),
        "coo": sparse.coo_array([[1, 0], [0, 2]]),
        "lil": sparse.lil_array([[1, 0], [0, 2]]),
        "dok": sparse.dok_array([[1, 0], [0, 2]]),
        "dia": sparse.dia_array([[1, 0], [0, 2]]),
    }


if __name__ == "__main__":
    import json

    import ndcache

    print(json.dumps({name: ndcache.digest(value) for name, value in values().items()}))
