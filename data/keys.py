"""Makes keys.json: keys of calls by docs/format.md ("Keys"), without ndcache. Needs xxhash; python3 keys.py > keys.json"""

import json
import struct

import xxhash


COMPATIBLE = "0.1"
"""What of the version of the package that defines the functions only incompatible versions differ in."""


def digest(data):
    return xxhash.xxh3_128_digest(data)


def u64(number):
    return struct.pack("<Q", number)


def text(string):
    data = string.encode()
    return u64(len(data)) + data


def stream(domain, *parts):
    return digest(text(domain) + b"".join(parts))


def value(data):
    return digest(b"value:" + data)


def array(elements, shape, order):
    descr = "<f8"
    tree = digest(struct.pack(f"<{len(elements)}d", *elements))
    return digest(f"ndarray:{descr}:{shape}:{order}:".encode() + tree)


def f64(number):
    return b"\x22" + struct.pack("<d", number)


def total(digests):
    """The number of some digests, and their sum."""
    number = sum(int.from_bytes(digest, "big") for digest in digests) % 2**128
    return u64(len(digests)) + number.to_bytes(16, "big")


def points():
    """Two structs in a table: their names, and their numbers."""
    head = b"\x34" + text("ndcache@0.1/tests ndcache::golden::Point")
    fields = b"\x35" + text("x") + b"\x22" + b"\x35" + text("y") + b"\x22"
    rows = struct.pack("<4d", 0.5, 1.0, -1.0, 2.0)
    return value(b"\x30" + u64(2) + b"\x41" + head + fields + b"\0" + rows + b"\0")


def readings():
    """Two structs that only serde knows, each after the number of its variant."""
    no_variant = b"\x0b" + bytes(16)
    first = b"\x34" + text("Reading") + b"\x35" + text("at") + b"\x12\1\0\0\0" + b"\x35" + text("value") + b"\x06\0"
    second = b"\x3c\0" + b"\x3d\x12\2\0\0\0" + b"\x3d\x07\x21" + struct.pack("<f", 0.5) + b"\0"
    return value(b"\x30" + u64(2) + no_variant + first + no_variant + second + b"\0")


def counts(entries):
    """A map of texts to bytes: their marks, and the rows' sum."""
    return value(b"\x43\x04\x10" + total([digest(text(name) + bytes([count])) for name, count in entries]))


def kinds(letters):
    return value(b"\x42\x03" + total([digest(struct.pack("<I", ord(letter))) for letter in letters]))


def turned():
    """An array of pairs in Fortran order."""
    rows = bytes(n for pair in [1, 3, 2, 4] for n in [pair, pair])
    shape = b"".join(map(u64, [2, 2, 2, 1, 0]))
    return value(b"\x39" + shape + b"\x41\x31\x10\x10\0" + rows + b"\0")


def key(path, code, result, arguments, salt=""):
    function = stream("ndcache-function:1", text(path), text(""), text(COMPATIBLE), code)
    call = [text(name) + content for name, content in arguments]
    unsalted = stream("ndcache-key:1", function, digest(result.encode()), u64(len(call)), *call)
    return stream("ndcache-key:1", unsalted, text(salt)).hex()


def by_version(version):
    """The code of `code = "version", version = …`, which depends on nothing."""
    return stream("ndcache-code:1", stream("ndcache-item:1", text("version"), u64(1), u64(version)))


calls = {
    "scalars": key(
        "golden scalars",
        by_version(1),
        "f64",
        [
            ("n", value(b"\x13" + u64(3))),
            ("x", value(b"\x22" + struct.pack("<d", -0.0))),
            ("name", value(b"\x04" + text("größe"))),
            ("on", value(b"\x02\x01")),
        ],
    ),
    "arrays": key(
        "golden arrays",
        by_version(7),
        "f64[2]",
        [("x", array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "2,3", "0,1")), ("y", array([0.0, 1.0], "2", "0"))],
    ),
    "arrays, with a salt": key(
        "golden arrays",
        by_version(7),
        "f64[2]",
        [("x", array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "2,3", "0,1")), ("y", array([0.0, 1.0], "2", "0"))],
        salt="2026-11",
    ),
    "structures": key(
        "golden structures",
        by_version(2),
        "f64",
        [
            ("points", points()),
            ("readings", readings()),
            ("counts", counts([("a", 1), ("b", 2)])),
            ("kinds", kinds("xy")),
            ("queue", value(b"\x3e\x08" + array([0.0, 1.0], "2", "0"))),
            ("corners", value(b"\x3f\x08" + array([0.0, 1.0, 2.0, 3.0], "2,2", "0,1"))),
            ("turned", turned()),
        ],
    ),
    "nothing": key("golden nothing", by_version(0), "Option<String>", []),
}
print(json.dumps(calls, indent=1))
