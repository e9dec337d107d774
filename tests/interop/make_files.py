"""Writes `.npy` files as NumPy does, and `manifest.json` beside them: make_files.py FOLDER

Of a good file the manifest gives descr, shape, order and the bytes in C order, as hex; of one that has to be refused,
the words that the refusal has to hold.
"""

import json
import os
import sys

import numpy as np

DTYPES = ["|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8", "|b1", "<c8", "<c16"]
SHAPES = [(), (0,), (7,), (3, 4), (0, 3), (2, 3, 4), (1, 5, 1)]
VERSIONS = [(1, 0), (2, 0), (3, 0)]


def painted(descr, shape):
    """Bytes of period 251, so that every float format meets NaNs, infinities, denormals and both zeros."""
    dtype = np.dtype(descr)
    count = int(np.prod(shape, dtype=int))
    stream = (np.arange(count * dtype.itemsize) * 167 % 251).astype(np.uint8)
    if descr == "|b1":
        stream %= 2
    array = stream.view(dtype)
    special = specials(dtype)[:count]
    array[: len(special)] = special
    return array.reshape(shape)


def specials(dtype):
    if dtype.kind == "c":
        half = specials(np.dtype(f"<f{dtype.itemsize // 2}"))
        return np.stack([half, half[::-1]], axis=1).ravel().view(dtype)
    if dtype.kind != "f":
        return np.zeros(0, dtype)
    unsigned = np.dtype(f"<u{dtype.itemsize}")
    infinity = int(np.array(np.inf, dtype).view(unsigned))
    sign = 1 << (dtype.itemsize * 8 - 1)
    # A signalling NaN, a negative NaN with a payload, -0.0, the least denormal, -infinity
    return np.array([infinity + 1, sign | infinity | 5, sign, 1, sign | infinity], unsigned).view(dtype)


def write(path, array, version):
    with open(path, "wb") as file:
        np.lib.format.write_array(file, array, version=version)


def good(folder):
    for descr in DTYPES:
        for shape in SHAPES:
            for order in "CF":
                for version in VERSIONS:
                    array = np.array(painted(descr, shape), order=order, copy=True)
                    text = "x".join(map(str, shape))
                    path = os.path.join(folder, f"{descr[1:]}-{text}-{order}-{version[0]}.npy")
                    write(path, array, version)
                    yield {
                        "file": path,
                        "descr": descr,
                        "shape": list(shape),
                        "fortran": bool(array.flags.f_contiguous and not array.flags.c_contiguous),
                        "hex": array.tobytes(order="C").hex(),
                    }


def refused(folder):
    arrays = {
        "big-endian-float": (np.arange(3, dtype=">f8"), ">f8"),
        "big-endian-integer": (np.arange(3, dtype=">i2"), ">i2"),
        "object": (np.array([None, 1], dtype=object), "|O"),
        "structured": (np.zeros(3, dtype=[("height", "<f4"), ("width", "<i8")]), "height"),
        "text": (np.array(["one", "three"]), "<U5"),
        "bytes": (np.array([b"one"]), "|S3"),
        "date": (np.array(["2001-02-03"], dtype="<M8[D]"), "<M8[D]"),
    }
    for name, (array, words) in arrays.items():
        path = os.path.join(folder, f"refused-{name}.npy")
        with open(path, "wb") as file:
            np.lib.format.write_array(file, array, allow_pickle=True)
        yield {"file": path, "words": [os.path.basename(path), words]}


def main():
    folder = sys.argv[1]
    manifest = {"good": list(good(folder)), "refused": list(refused(folder))}
    with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
        json.dump(manifest, file)


main()
