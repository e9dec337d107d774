"""Makes `format1.record`, a record of format 1, without ndcache: `python format1.py` needs msgpack and xxhash.

The crate's tests read it and write it again to the byte; `docs/format.md` describes it.
"""

from pathlib import Path

import msgpack
import xxhash


def digest(seed: int) -> bytes:
    return xxhash.xxh3_128_digest(bytes([seed]))


def array(file: str, shape: list[int], length: int) -> dict:
    meta = {"descr": "<f8", "shape": shape, "order": "C"}
    return {"file": file, "meta": meta, "offset": 128, "length": length, "digest": digest(7), "codec": "npy"}


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

sealed = b"ndcache\0" + msgpack.packb(BODY)
Path(__file__).with_suffix(".record").write_bytes(sealed + xxhash.xxh3_128_digest(sealed))
