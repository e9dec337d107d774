"""Rust → Python → Rust over one folder: each language takes the other's results from the cache, as plain `.npy`.

    python chain.py            # run it twice; it needs cargo, and the checkout that it lies in
"""

import pathlib
import subprocess
import sys

import numpy as np
from ndcache import Memory

ROOT = pathlib.Path(__file__).resolve().parents[2]
folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "cache").resolve()


def rust():
    command = ["cargo", "run", "--quiet", "-p", "ndcache-examples", "--example", "chain", "--", str(folder)]
    print(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout, end="", flush=True)


rust()  # makes the signal
memory = Memory(folder, verbose=0)
(stored,) = [entry for entry in memory.entries() if entry.function.endswith("signal")]
(file,) = [path for path in stored.files if str(path).endswith(".npy")]
signal = np.load(file, mmap_mode="r")


@memory.cache
def spectrum(signal):
    print("python: computing the spectrum", flush=True)
    return np.abs(np.fft.rfft(signal)) ** 2


print(f"python: a spectrum of {len(spectrum(signal))} lines", flush=True)
rust()  # finds the peak
