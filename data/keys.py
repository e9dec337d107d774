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
    "nothing": key("golden nothing", by_version(0), "Option<String>", []),
}
print(json.dumps(calls, indent=1))
