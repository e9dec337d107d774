"""Makes `format1.npy.gz`, a compressed array file of format 1, without ndcache: `python format1_gzip.py`.

It holds the 1,048,581 bytes 0, 1, … 250, 0, 1, … as an array of one axis. The crate's tests read it;
`docs/format.md` describes it.
"""

import struct
import zlib
from pathlib import Path

LEAF = 1 << 20
START = bytes([0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 255, 8, 0]) + b"ND" + bytes([4, 0])


def member(plain: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = deflate.compress(plain) + deflate.flush()
    length = struct.pack("<I", len(START) + 4 + len(deflated) + 8)
    return START + length + deflated + struct.pack("<II", zlib.crc32(plain), len(plain))


elements = bytes(i % 251 for i in range(LEAF + 5))
dictionary = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(elements)},), }}".encode()
header = b"\x93NUMPY\x01\x00\x76\x00" + dictionary.ljust(128 - 10 - 1) + b"\n"
leaves = [elements[start : start + LEAF] for start in range(0, len(elements), LEAF)]
Path(__file__).with_name("format1.npy.gz").write_bytes(b"".join(map(member, [header, *leaves])))
