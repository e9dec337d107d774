"""Values whose digests are written down in `golden_digests.json`, so that no key moves unseen.

Run it to print those digests: what it prints and the file doesn't have yet may be added, what differs is a fault.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import json
import pathlib
import struct
import uuid

import numpy as np

NAN_WITH_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_00FF))[0]


def numbers() -> dict[str, object]:
    return {
        "none": None,
        "true": True,
        "false": False,
        "7": 7,
        "0": 0,
        "-1": -1,
        "2**63-1": 2**63 - 1,
        "-2**63": -(2**63),
        "2**63": 2**63,
        "-2**63-1": -(2**63) - 1,
        "2**64-1": 2**64 - 1,
        "2**200": 2**200,
        "-2**200": -(2**200),
        "1.5": 1.5,
        "0.0": 0.0,
        "-0.0": -0.0,
        "inf": float("inf"),
        "-inf": float("-inf"),
        "nan": float("nan"),
        "nan with a payload": NAN_WITH_PAYLOAD,
        "smallest float": 5e-324,
        "largest float": 1.7976931348623157e308,
        "1j": 1j,
        "0j": 0j,
        "-0.0-0.0j": complex(-0.0, -0.0),
        "inf-infj": complex(float("inf"), float("-inf")),
        "nan+1j": complex(float("nan"), 1),
    }


def texts() -> dict[str, object]:
    return {
        "a": "a",
        "empty text": "",
        "text of a zero": "\0",
        "größe": "größe",
        "astral": "\U0001f600",
        "surrogate": "a\ud800",
        "long text": "ä" * 600_000,
        "empty bytes": b"",
        "bytes of a zero": b"\0",
        "all bytes": bytes(range(256)),
        "a mebibyte and one": b"ab" * (1 << 19) + b"c",
        "bytearray": bytearray(b"abc"),
        "empty bytearray": bytearray(),
        "memoryview": memoryview(b"abc"),
    }


def containers() -> dict[str, object]:
    return {
        "(1, a)": (1, "a"),
        "words": ["a", "bc"],
        "empty list": [],
        "empty tuple": (),
        "empty dict": {},
        "empty set": set(),
        "empty frozenset": frozenset(),
        "[1, 2, 3]": [1, 2, 3],
        "(1, 2, 3)": (1, 2, 3),
        "[1.0, 2.0]": [1.0, 2.0],
        "[nan, -0.0]": [float("nan"), -0.0],
        "[1, 2.0]": [1, 2.0],
        "[true, false]": [True, False],
        "[1, true]": [1, True],
        "[none]": [None],
        "[2**63, 1]": [2**63, 1],
        "[b'a', b'']": [b"a", b""],
        "[[1], [2.0]]": [[1], [2.0]],
        "[(1, 2), (3, 4)]": [(1, 2), (3, 4)],
        "many integers": list(range(20_000)),
        "many floats": [n / 8 for n in range(20_000)],
        "many texts": [str(n) for n in range(5_000)],
        "dict a b": {"a": 1, "b": 2},
        "dict b a": {"b": 2, "a": 1},
        "dict of integers": {1: "a", 2: "b"},
        "dict of mixed keys": {None: 1, True: 2, 2.5: 3, (1, "a"): 4, b"k": 5},
        "dict in a dict": {"a": {"b": [1, {"c": (None,)}]}},
        "ordered dict": collections.OrderedDict(a=1, b=2),
        "set": {1, "a", None, (1, 2)},
        "frozenset": frozenset({1, "a", None, (1, 2)}),
        "list of arrays": [np.arange(3.0), np.arange(4, dtype="i4")],
        "dict of arrays": {"x": np.arange(3.0), "y": np.ones((2, 2), "f4")},
    }


SCALARS = {
    "i1": -128, "i2": -300, "i4": -(2**31), "i8": 2**63 - 1, "u1": 255, "u2": 65_535, "u4": 2**32 - 1, "u8": 2**64 - 1,
    "f2": 1.5, "f4": -0.0, "f8": float("inf"), "c8": 1 - 2j, "c16": complex(-0.0, 3), "b1": True, "U3": "äb", "S3": b"ab",
    "M8[D]": "2026-01-02", "M8[ns]": "2026-01-02T03:04:05", "m8[s]": 90,
}  # fmt: skip


def scalars() -> dict[str, object]:
    """Each dtype as an array without axes, as the scalar that NumPy makes of it, and as an array of one element."""
    found: dict[str, object] = {}
    for dtype, value in SCALARS.items():
        array = np.array(value, dtype=dtype)
        found |= {f"0-d {dtype}": array, f"scalar {dtype}": array[()], f"1-d {dtype}": array.reshape(1)}
    found["scalar nan"] = np.float64("nan")
    found["0-d nan"] = np.array(np.nan)
    found["scalar nat"] = np.datetime64("NaT", "ns")
    return found


def arrays() -> dict[str, object]:
    base = np.arange(24, dtype="i8").reshape(4, 6)
    return {
        "array": base,
        "array in Fortran order": np.asfortranarray(base),
        "array with steps": base[:, ::2],
        "array backwards": base[::-1],
        "array of three axes": np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
        "array big-endian": base.astype(">i8"),
        "array of bools": base % 2 == 0,
        "array of texts": np.array(["a", "bc"]),
        "array of times": base.astype("M8[D]"),
        "array of none": np.empty((0, 3)),
        "array of none, Fortran": np.empty((3, 0), order="F"),
        "array of two mebibytes": np.arange(1 << 18, dtype="f8"),
        "structured": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        "objects": np.array([1, "a", None, 2.5], dtype=object),
        "masked": np.ma.array([1, 2, 3], mask=[0, 1, 0]),
    }


def others() -> dict[str, object]:
    return {
        "path": pathlib.Path("a/b"),
        "range": range(0, 9, 2),
        "slice": slice(1, None, 2),
        "ellipsis": ...,
        "date": datetime.date(2026, 1, 2),
        "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, 6),
        "datetime utc": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
        "timedelta": datetime.timedelta(1, 2, 3),
        "decimal": decimal.Decimal("1.00"),
        "fraction": fractions.Fraction(1, 3),
        "uuid": uuid.UUID(int=7),
        "dtype": np.dtype("<f8"),
    }


def values() -> dict[str, object]:
    return {**numbers(), **texts(), **containers(), **scalars(), **arrays(), **others()}


if __name__ == "__main__":
    import ndcache

    print(json.dumps({name: ndcache.digest(value) for name, value in values().items()}, indent=1, ensure_ascii=False))
