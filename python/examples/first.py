"""The first steps: a result is computed, then loaded; a miss says why it missed.

    python first.py            # run it twice
"""

import sys
import time

import numpy as np
from ndcache import Memory

memory = Memory(sys.argv[1] if len(sys.argv) > 1 else "cache", verbose=0)


def window(n):
    return np.hanning(n)


@memory.cache
def spectrum(signal, n=1024, *, power=2):
    """A slow function of an array: its result depends on the array's content, on `n` and `power`, and on `window`."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, n)[:: n // 8]
    return (np.abs(np.fft.rfft(frames * window(n), axis=1)) ** power).mean(axis=0)


def timed(text, call):
    begin = time.perf_counter()
    result = call()
    took = time.perf_counter() - begin
    print(f"{text:<28}{took * 1e3:8.2f} ms   {'hit' if not spectrum.why else 'miss: ' + spectrum.why}")
    return result


signal = np.random.default_rng(0).normal(size=400_000)
first = timed("spectrum(signal)", lambda: spectrum(signal))
again = timed("spectrum(signal.copy())", lambda: spectrum(signal.copy()))
other = timed("spectrum(signal, power=1)", lambda: spectrum(signal, power=1))
assert np.array_equal(first, again)

print()
print(spectrum.explain(signal, n=512))
print(spectrum.code())
