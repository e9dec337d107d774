"""Neuroimaging: a series of volumes is smoothed and masked; nibabel's images are arguments by their content.

    python volume.py           # run it twice
"""

import pathlib
import sys
import tempfile

import nibabel
import numpy as np
from ndcache import FileContent, Memory

memory = Memory(sys.argv[1] if len(sys.argv) > 1 else "cache", mmap_mode="r", verbose=1)


def make_series(path):
    """Writes a small 4-d series, as a scanner would."""
    data = np.random.default_rng(1).normal(100, 10, size=(24, 24, 16, 20)).astype("f4")
    nibabel.save(nibabel.Nifti1Image(data, np.diag([3.0, 3.0, 4.0, 1.0])), path)


@memory.cache(key={"path": FileContent})
def load(path):
    """The voxels of a file: it counts by its content, not by its name."""
    return np.asarray(nibabel.load(path).dataobj, dtype="f4")


@memory.cache
def smooth(series, width=3):
    """Smooths along the three axes of space. A mapped series is known by what it was mapped from: it isn't hashed again."""
    kernel = np.ones(width, "f4") / width
    for axis in range(3):
        series = np.apply_along_axis(np.convolve, axis, series, kernel, mode="same")
    return series.astype("f4")


@memory.cache
def signals(series, threshold=80.0):
    """The time series of the voxels whose mean is above a threshold, standardised."""
    mask = series.mean(axis=-1) > threshold
    values = series[mask].astype("f8")
    return (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)


with tempfile.TemporaryDirectory() as folder:
    path = str(pathlib.Path(folder) / "series.nii.gz")
    make_series(path)
    result = signals(smooth(load(path)))

print(f"{result.shape[0]} voxels, {result.shape[1]} volumes, a {type(result).__name__}")
