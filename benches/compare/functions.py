"""The functions that the Python caches cache: those of `src/ours.rs`."""

import numpy as np


def polynomial(n):
    return (n * 2.5 + 1.0) * n - 3.0


def painted(size):
    return (np.arange(size // 8) % 251).astype(np.float64)


def last(x):
    return float(x[-1])


def given(number, x):
    return x
