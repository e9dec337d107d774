#!/usr/bin/env python3
"""ndcache beside joblib, diskcache and cachier, as ratios of processor time in one process; rounds alternate.

    python/benches/beside.py           # a table
    python/benches/beside.py --check   # fails below the ratios that are promised

It needs a release build: `pip install ./python`, or `python/develop --release`.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from typing import Any, Callable

import joblib
import ndcache
import numpy as np

# Promised of joblib's time over ndcache's, at least.
FLOORS = {
    "warm hit of f(int)": 200,
    "warm hit of f(dict)": 20,
    "first hit of a process, f(int)": 10,
    "digest of 1 MiB": 50,
    "digest of 256 MiB": 10,
}
ROUNDS = 5


def cost(call: Callable[[], Any], least: float = 0.02) -> float:
    """Processor seconds of one call, over enough calls to last ``least`` seconds."""
    number = 1
    while True:
        begin = time.process_time()
        for _ in range(number):
            call()
        took = time.process_time() - begin
        if took >= least:
            return took / number
        number *= 2 if took < least / 10 else 1 + int(least / max(took, 1e-9))


def beside(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Medians of alternating rounds."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            found[name].append(cost(call))
    return {name: statistics.median(times) for name, times in found.items()}


def number(x):
    return x * 2


def settings(options):
    return len(options)


def others(folder: str) -> dict[str, Callable[[Any], Any]]:
    """The same function in the caches of others that are installed."""
    found: dict[str, Callable[[Any], Any]] = {}
    try:
        import diskcache

        found["diskcache"] = diskcache.Cache(f"{folder}/diskcache").memoize()(number)
    except ImportError:
        pass
    try:
        import cachier

        found["cachier"] = cachier.cachier(cache_dir=f"{folder}/cachier")(number)
    except ImportError:
        pass
    return found


def hits(folder: str) -> dict[str, dict[str, float]]:
    ours, theirs = ndcache.Memory(f"{folder}/ours", verbose=0), joblib.Memory(f"{folder}/theirs", verbose=0)
    table: dict[str, dict[str, float]] = {}
    f = {"ndcache": ours.cache(number), "joblib": theirs.cache(number), **others(folder)}
    g = {"ndcache": ours.cache(settings), "joblib": theirs.cache(settings)}
    options = {"alpha": 0.5, "names": ["a", "b"], "n": 3}
    for call in f.values():
        call(7)
    for call in g.values():
        call(options)
    table["warm hit of f(int)"] = beside({name: lambda call=call: call(7) for name, call in f.items()})
    table["warm hit of f(dict)"] = beside({name: lambda call=call: call(options) for name, call in g.items()})
    table["first hit of a process, f(int)"] = first_hits(folder, f["ndcache"], f["joblib"])
    return table


def first_hits(folder: str, ours: Any, theirs: Any) -> dict[str, float]:
    """Of 200 stored calls each is met for the first time."""
    for x in range(200):
        ours(x), theirs(x)
    copied = shutil.copytree(f"{folder}/ours", f"{folder}/again")
    fresh = {
        "ndcache": ndcache.Memory(copied, verbose=0).cache(number),
        "joblib": joblib.Memory(f"{folder}/theirs", verbose=0).cache(number),
    }
    found = {}
    for name, call in fresh.items():
        begin = time.process_time()
        for x in range(200):
            call(x)
        found[name] = (time.process_time() - begin) / 200
    return found


def digests() -> dict[str, dict[str, float]]:
    table = {}
    for label, size in (("1 MiB", 1 << 17), ("256 MiB", 1 << 25)):
        array = np.random.default_rng(0).normal(size=size)
        table[f"digest of {label}"] = beside({"ndcache": lambda: ndcache.hash(array), "joblib": lambda: joblib.hash(array)})
    return table


def shown(seconds: float) -> str:
    for unit, factor in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def main() -> int:
    folder = tempfile.mkdtemp()
    try:
        table = {**hits(folder), **digests()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    low = []
    for what, times in table.items():
        ours = times["ndcache"]
        cells = [f"{name} {shown(took)} ({took / ours:.0f} ×)" for name, took in times.items() if name != "ndcache"]
        print(f"{what:<34}ndcache {shown(ours):<10}{'   '.join(cells)}")
        if times["joblib"] / ours < FLOORS[what]:
            low.append(f"{what}: {times['joblib'] / ours:.0f} ×, promised {FLOORS[what]} ×")
    for line in low:
        print(f"below what is promised: {line}")
    return bool(low) if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
