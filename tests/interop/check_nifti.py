"""Checks that nibabel reads volumes with the voxels and the grid that are expected: check_nifti.py MANIFEST

The manifest is a JSON list; each item names a file and gives the descr and the shape of the voxels, scaling applied,
their bytes as hex, the first axis fastest, the affine and the steps along the axes.
"""

import json
import sys

import nibabel
import numpy as np


def differences(item):
    image = nibabel.load(item["file"])
    voxels = np.asanyarray(image.dataobj)
    found = {
        "descr": voxels.dtype.str,
        "shape": list(voxels.shape),
        "hex": voxels.tobytes(order="F").hex(),
        "steps": [float(step) for step in image.header.get_zooms()],
        "affine": image.affine.tolist(),
    }
    # A qform is computed, by two programs in two orders.
    if np.allclose(found["affine"], item["affine"], rtol=1e-12, atol=1e-12):
        found["affine"] = item["affine"]
    return [
        f"{item['file']}: {name} is {str(found[name])[:200]}, expected {str(item[name])[:200]}"
        for name in found
        if found[name] != item[name]
    ]


def main():
    with open(sys.argv[1], encoding="utf-8") as manifest:
        items = json.load(manifest)
    found = [line for item in items for line in differences(item)]
    print(f"checked {len(items)} files")
    sys.exit("\n".join(found) or 0)


main()
