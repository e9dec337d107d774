"""The functions that the Python caches cache: those of `src/ours.rs`."""

import numpy as np


def polynomial(n):
    return (n * 2.5 + 1.0) * n - 3.0


def painted(size):
    return (np.arange(size // 8) % 251).astype(np.float64)


def measured(size):
    """What an instrument with 12 bits measures of something that rises and falls."""
    i = np.arange(size // 8, dtype=np.uint64)
    noise = (i * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(52)
    return (i % np.uint64(10007)).astype(np.float64) * 0.25 + noise.astype(np.float64) / 4096.0


def last(x):
    return float(x[-1])


def given(number, x):
    return x
