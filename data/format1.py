"""Makes three records of format 1 without ndcache: `python format1.py` needs msgpack and xxhash.

`format1.record` is an entry as most are, `format1_full.record` one with every field, `format1_code.record` says what a
code is made of.

The crate's tests read them and write them again; `docs/format.md` describes it.
"""

from pathlib import Path

import msgpack
import xxhash


def digest(seed: int) -> bytes:
    return xxhash.xxh3_128_digest(bytes([seed]))


def array(file: str, shape: list[int], length: int) -> dict:
    meta = {"descr": "<f8", "shape": shape, "order": "C"}
    return {"file": file, "meta": meta, "offset": 128, "length": length, "digest": digest(7), "codec": "npy"}


def foreign(file: str, descr: str, itemsize: int, shape: list[int], length: int) -> dict:
    elements = itemsize * (shape[0] if shape else 1)
    return {
        "file": file,
        "meta": {"descr": descr, "shape": shape, "order": "C", "itemsize": itemsize},
        "offset": length - elements,
        "length": length,
        "digest": digest(7),
        "codec": "npy",
    }


BODY = {
    "format": 1,
    "key": digest(1),
    "function": "digits::pca",
    "code": digest(2),
    "arguments": [{"name": "x", "digest": digest(3), "text": "f64[1797, 64] C"}],
    "created": 1_700_000_000_123_456_789,
    "duration": 2_500_000,
    "value": bytes([0xC7, 4, 1, 0, 0, 0, 0]),
    "arrays": [array("0123.4567.npy", [3, 4], 128 + 96), array("0123.89ab.npy", [], 128 + 8)],
    "producer": {
        "version": "0.1.0",
        "rustc": "rustc 1.95.0",
        "target": "x86_64-unknown-linux-gnu",
        "host": "host",
        "session": "boot:mount",
    },
    "edited": False,
}



# What an entry of Python's may hold: a pickle with two out-of-band arrays, of dtypes that no Rust type has.
PICKLE = msgpack.packb([b"\x80\x05.", [0, 1]])
STRUCTURED = "[('a', '<f8'), ('b', '<i4')]"
FULL = {
    **BODY,
    "requires": ["pickle", "dtype"],
    "arguments": [
        {"name": "token", "digest": digest(8), "secret": True},
        {
            "name": "p",
            "digest": digest(9),
            "text": "app::Params",
            "leaves": [
                {"path": "kind", "digest": digest(5), "text": "Ridge(1.0)"},
                {"path": "steps[3]", "digest": digest(6)},
            ],
        },
        {"name": "x", "digest": digest(3)},
    ],
    "expires": 1_700_000_060_123_456_789,
    "value": msgpack.packb(msgpack.ExtType(3, PICKLE)),
    "arrays": [foreign("0123.4567.npy", STRUCTURED, 12, [3], 192 + 36), foreign("0123.89ab.npy", "<M8[ns]", 8, [], 136)],
    "edited": True,
    "origin": "tier",
    "python": msgpack.packb({"": "tuple"}),
    "local": True,
}
PART = {
    "name": "window",
    "counts": "package",
    "package": "0.1.0",
    "version": 2,
    "body": digest(4),
    "facts": [["cfg(unix)", "true"]],
}
CODE = {
    "format": 1,
    "function": "digits::pca",
    "code": digest(2),
    "parts": [{"name": "", "counts": "package", "package": "0.1.0", "body": digest(5)}, PART],
}


def write(name: str, body: dict) -> None:
    sealed = b"ndcache\0" + msgpack.packb(body)
    Path(__file__).with_name(name).write_bytes(sealed + xxhash.xxh3_128_digest(sealed))


write("format1.record", BODY)
write("format1_full.record", FULL)
write("format1_code.record", CODE)
