"""Writes the files beside it: `.npy` files of every sort that NumPy writes, and the headers of many shapes.

Ran with NumPy 2.4.6 (`python data/npy/make.py`).
"""

import io
import json
from pathlib import Path

import numpy as np
from numpy.lib import format

here = Path(__file__).parent
a = np.arange(6).reshape(2, 3)

np.save(here / "c_f8.npy", a.astype("<f8"))
np.save(here / "f_f4.npy", np.asfortranarray(a.astype("<f4")))
np.save(here / "scalar_c16.npy", np.array(1.5 - 2j))
np.save(here / "empty_i2.npy", np.zeros((0, 5), "<i2"))
np.save(here / "bool.npy", np.array([True, False, True]))
np.save(here / "u1.npy", np.arange(256, dtype="u1"))
np.save(here / "f2.npy", np.array([1.5, -2], "<f2"))
np.save(here / "four_axes_i8.npy", np.asfortranarray(np.arange(24).reshape(2, 3, 1, 4)))
np.save(here / "big_endian.npy", a.astype(">f8"))
np.save(here / "object.npy", np.array([{}, "a"], object))
np.save(here / "structured.npy", np.zeros(2, [("x", "<f8"), ("y", "<i4")]))
np.save(here / "text.npy", np.array(["a", "bc"]))
np.save(here / "time.npy", np.array(["2020-01-01"], "<M8[s]"))

for version, name in [((2, 0), "version_2.npy"), ((3, 0), "version_3.npy")]:
    with open(here / name, "wb") as file:
        format.write_array(file, a.astype("<i4"), version=version)


def header(descr, shape, fortran):
    out = io.BytesIO()
    format.write_array_header_1_0(out, {"descr": descr, "fortran_order": fortran, "shape": shape})
    return out.getvalue()[10:].decode("latin1")


shapes = [(1,) * n for n in range(24)] + [tuple(range(n)) for n in range(2, 12)]
shapes += [(10**n, 7) for n in range(19)] + [(7, 10**n) for n in range(19)]
headers = [
    {"descr": descr, "shape": shape, "fortran": fortran, "header": header(descr, shape, fortran)}
    for shape in shapes
    for descr, fortran in [("<f8", False), ("<c16", True)]
]
(here / "headers.json").write_text("[\n" + ",\n".join(map(json.dumps, headers)) + "\n]\n")
