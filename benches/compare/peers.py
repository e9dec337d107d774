"""The Python side of the comparison: runs a round of what a line asks for, and answers with its seconds.

`peers.py worker FOLDER` reads lines `PEER WHAT BYTES`; `peers.py first FOLDER PEER WHAT BYTES` takes the time of the
first call in a process. `src/main.rs` is the other side.
"""

import math
import os
import sys
from time import perf_counter

import diskcache
import joblib
import numpy as np

import functions

# A round of many runs lasts about that long.
SECONDS = 0.01


def once(body):
    start = perf_counter()
    value = body()
    return perf_counter() - start, value


def steady(body):
    """The mean seconds of a run among as many as a round has time for; one before them isn't counted."""
    body()
    first, _ = once(body)
    if first >= SECONDS:
        return first
    times = math.ceil(SECONDS / first)
    start = perf_counter()
    for _ in range(times):
        body()
    return (perf_counter() - start) / times


def stored_bytes(folder):
    """The length of the largest file: that of the array."""
    return max(os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(folder) for name in names)


class Joblib:
    def __init__(self, folder):
        cache = joblib.Memory(os.path.join(folder, "joblib"), verbose=0).cache
        self.polynomial, self.last = cache(functions.polynomial), cache(functions.last)
        self.loaded = cache(functions.painted)
        mapped = joblib.Memory(os.path.join(folder, "joblib-mapped"), mmap_mode="r", verbose=0)
        self.mapped = mapped.cache(functions.painted)
        self.scratch = joblib.Memory(os.path.join(folder, "joblib-scratch"), verbose=0)
        self.given = self.scratch.cache(functions.given, ignore=["x"])
        self.packing = joblib.Memory(os.path.join(folder, "joblib-packed"), compress=3, verbose=0)
        self.packed = self.packing.cache(functions.given, ignore=["x"])
        self.number = 0

    def pack(self, size):
        """Stores an array compressed; its seconds and its bytes."""
        self.packing.clear(warn=False)
        x = functions.measured(size)
        seconds, _ = once(lambda: self.packed(0, x))
        if not self.packed.check_call_in_cache(0, x):
            raise RuntimeError("joblib stored nothing")
        return seconds, stored_bytes(self.packing.location)

    def call(self, what, size):
        if what == "number":
            return lambda: self.polynomial(2)
        if what == "unpack":
            # Its array is ignored, and was stored by a round before.
            if self.packed(0, np.empty(0)).nbytes != size:
                raise RuntimeError("nothing was packed before")
            return lambda: self.packed(0, None)
        if what == "map":
            return lambda: self.mapped(size)
        if what == "load":
            return lambda: self.loaded(size)
        if what == "chain":
            x = self.mapped(size)
            return lambda: self.last(x)
        raise ValueError(what)

    def round(self, what, size, x):
        if what == "hash":
            return steady(lambda: joblib.hash(x))
        if what == "store":
            self.number += 1
            seconds, _ = once(lambda: self.given(self.number, x))
            if not self.given.check_call_in_cache(self.number, x):
                raise RuntimeError("joblib stored nothing")
            self.scratch.clear(warn=False)
            return seconds
        if what == "pack":
            return self.pack(size)[0]
        if what == "packed":
            return self.pack(size)[1]
        return steady(self.call(what, size))


class Diskcache:
    def __init__(self, folder):
        # A limit of its own would evict what is compared.
        self.cache = diskcache.Cache(os.path.join(folder, "diskcache"), size_limit=1 << 40)
        self.polynomial = self.cache.memoize()(functions.polynomial)
        self.painted = self.cache.memoize()(functions.painted)

    def call(self, what, size):
        if what == "number":
            return lambda: self.polynomial(2)
        if what == "load":
            return lambda: self.painted(size)
        raise ValueError(what)

    def round(self, what, size, x):
        if what == "store":
            seconds, stored = once(lambda: self.cache.set("stored", x))
            if not stored:
                raise RuntimeError("diskcache stored nothing")
            self.cache.delete("stored")
            return seconds
        return steady(self.call(what, size))


class Numpy:
    """No cache: what reading an array takes, whoever remembers where it is."""

    def __init__(self, folder):
        self.folder = folder

    def round(self, what, size, x):
        if what != "load":
            raise ValueError(what)
        path = os.path.join(self.folder, f"numpy-{size}.npy")
        if not os.path.exists(path):
            np.save(path, x)
        return steady(lambda: np.load(path))


PEERS = {"joblib": Joblib, "diskcache": Diskcache, "numpy": Numpy}


def worker(folder):
    peers, arrays = {name: peer(folder) for name, peer in PEERS.items()}, {}
    for line in sys.stdin:
        peer, what, size = line.split()
        size = int(size)
        if size not in arrays:
            arrays[size] = functions.painted(size)
        print(peers[peer].round(what, size, arrays[size]), flush=True)


def first(folder, peer, what, size):
    print(once(PEERS[peer](folder).call(what, int(size)))[0])


if __name__ == "__main__":
    {"worker": worker, "first": first}[sys.argv[1]](*sys.argv[2:])
