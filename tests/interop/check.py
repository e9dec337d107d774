"""Checks that NumPy reads the arrays of a cache bit for bit: check.py MANIFEST

The manifest is a JSON list; each item names a file and gives the descr, the shape, the order and the bytes in memory
order, as hex, that NumPy has to find in it, read plainly and mapped.
"""

import json
import sys

import numpy as np


def descr(dtype):
    """As it stands in the header of a `.npy`; of a structured dtype the text of the list."""
    found = np.lib.format.dtype_to_descr(dtype)
    return found if isinstance(found, str) else repr(found)


def differences(item, mmap_mode):
    array = np.load(item["file"], mmap_mode=mmap_mode, allow_pickle=False)
    order = "F" if item["fortran"] else "C"
    found = {
        "type": type(array).__name__,
        "descr": descr(array.dtype),
        "shape": list(array.shape),
        "fortran": bool(array.flags.f_contiguous and not array.flags.c_contiguous),
        "writeable": bool(array.flags.writeable),
        "hex": array.tobytes(order=order).hex(),
    }
    expected = {
        "type": "memmap" if mmap_mode else "ndarray",
        "descr": item["descr"],
        "shape": item["shape"],
        "fortran": item["fortran"],
        "writeable": mmap_mode is None,
        "hex": item["hex"],
    }
    if mmap_mode:
        found["offset modulo 64"], expected["offset modulo 64"] = array.offset % 64, 0
    return [
        f"{item['file']} (mmap_mode={mmap_mode}): {name} is {found[name]}, expected {expected[name]}"
        for name in expected
        if found[name] != expected[name]
    ]


def main():
    with open(sys.argv[1], encoding="utf-8") as manifest:
        items = json.load(manifest)
    found = [line for item in items for mode in (None, "r") for line in differences(item, mode)]
    print(f"checked {len(items)} files")
    sys.exit("\n".join(found) or 0)


main()
