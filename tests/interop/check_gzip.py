"""Checks that Python's gzip and NumPy read compressed arrays bit for bit: check_gzip.py MANIFEST

The manifest is the one of `check.py`.
"""

import gzip
import json
import sys

import numpy as np


def differences(item):
    with gzip.open(item["file"]) as file:
        array = np.load(file, allow_pickle=False)
        rest = file.read()
    order = "F" if item["fortran"] else "C"
    found = {
        "descr": array.dtype.str,
        "shape": list(array.shape),
        "fortran": bool(array.flags.f_contiguous and not array.flags.c_contiguous),
        "hex": array.tobytes(order=order).hex(),
        "bytes after it": len(rest),
    }
    expected = {name: item.get(name, 0) for name in found}
    return [f"{item['file']}: {name} isn't as expected" for name in found if found[name] != expected[name]]


def main():
    with open(sys.argv[1], encoding="utf-8") as manifest:
        items = json.load(manifest)
    found = [line for item in items for line in differences(item)]
    print(f"checked {len(items)} files")
    sys.exit("\n".join(found) or 0)


main()
