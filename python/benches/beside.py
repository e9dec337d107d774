#!/usr/bin/env python3
"""ndcache beside joblib, diskcache and cachier, as ratios of processor time in one process; rounds alternate.

    python/benches/beside.py              # a table
    python/benches/beside.py --markdown   # the table of docs/benchmarks.md
    python/benches/beside.py --check      # fails below the ratios that are promised, and where a change is seen too late
    python/benches/beside.py --check 0.5  # below half of them: on a machine on which other programs run

It needs a release build: `pip install ./python`, or `python/develop --release`. `python/benches/run` makes one.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable

import joblib
import ndcache
import numpy as np

# The ratios of joblib's time to ndcache's that are promised at least.
FLOORS = {
    "warm hit of f(int)": 200,
    "warm hit of f(dict)": 20,
    "first hit of a process, f(int)": 10,
    "digest of 1 MiB": 50,
    "digest of 256 MiB": 10,
}
ROUNDS = 5
# Seconds within which a process in the midst of hits sees what has changed.
SEEN = 1.0


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


def scaled(x):
    return helper(x) + 1


def helper(x):
    return x * 3


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
    for x in range(200):
        f["ndcache"](x), f["joblib"](x)
    table["first hit of a process, f(int)"] = first_hits(folder)
    return table


def first_hits(folder: str) -> dict[str, float]:
    """Of 200 stored calls each is met for the first time, in processes that have just begun."""
    found: dict[str, list[float]] = {"ndcache": [], "joblib": []}
    for _ in range(ROUNDS):
        for name, times in found.items():
            child = [sys.executable, os.path.abspath(__file__), "--first", name, folder]
            times.append(json.loads(subprocess.run(child, capture_output=True, text=True, check=True).stdout))
    return {name: statistics.median(times) for name, times in found.items()}


def first_hit(name: str, folder: str) -> float:
    """Seconds of a stored call in this process, which has met none: the mean of 200."""
    memories = {"ndcache": (ndcache.Memory, "ours"), "joblib": (joblib.Memory, "theirs")}
    make, place = memories[name]
    call = make(f"{folder}/{place}", verbose=0).cache(number)
    begin = time.process_time()
    for x in range(200):
        call(x)
    return (time.process_time() - begin) / 200


def events(folder: str) -> dict[str, float]:
    """Seconds after which a process that hits again and again sees what others, the user and the clock have changed."""
    global helper
    place = f"{folder}/events"
    cached = ndcache.Memory(place, verbose=0).cache(scaled)
    found = {"another process's clear": seen(cached, lambda: clear_elsewhere(place))}
    kept, before = helper, cached(7)

    def edited(x):
        return x * 5

    helper = edited
    found["an edited helper"] = until(lambda: cached(7) != before)
    helper = kept
    brief = ndcache.Memory(place, verbose=0, expires=0.5).cache(scaled)
    found["an expiry"] = max(0.0, seen(brief, lambda: None) - 0.5)
    return found


def clear_elsewhere(place: str) -> None:
    program = "import sys, ndcache; ndcache.Memory(sys.argv[1], verbose=0).clear()"
    subprocess.run([sys.executable, "-c", program, place], check=True)


def seen(cached: Any, change: Callable[[], None]) -> float:
    """Seconds from a change on until a call that hit before it is computed."""
    for _ in range(3):
        cached(7)
    misses = cached.memory.stats()["misses"]
    change()
    return until(lambda: cached(7) is not None and cached.memory.stats()["misses"] > misses)


def until(holds: Callable[[], bool]) -> float:
    begin = time.perf_counter()
    while not holds():
        if time.perf_counter() - begin > 10:
            return float("inf")
    return time.perf_counter() - begin


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


def markdown(table: dict[str, dict[str, float]]) -> str:
    """The table with a column for each cache."""
    names = list(dict.fromkeys(name for times in table.values() for name in times))
    lines = ["| what | " + " | ".join(names) + " | joblib's time over ours | promised |", "| --- " * (len(names) + 3) + "|"]
    for what, times in table.items():
        cells = [shown(times[name]) if name in times else "" for name in names]
        lines.append(f"| {what} | {' | '.join(cells)} | {times['joblib'] / times['ndcache']:.0f} | at least {FLOORS[what]} |")
    return "\n".join(lines)


def text(table: dict[str, dict[str, float]], late: dict[str, float]) -> str:
    lines = []
    for what, times in table.items():
        ours = times["ndcache"]
        cells = [f"{name} {shown(took)} ({took / ours:.0f} ×)" for name, took in times.items() if name != "ndcache"]
        lines.append(f"{what:<34}ndcache {shown(ours):<10}{'   '.join(cells)}")
    return "\n".join([*lines, *(f"{what} is seen in {shown(seconds)}" for what, seconds in late.items())])


def failures(table: dict[str, dict[str, float]], late: dict[str, float], share: float) -> list[str]:
    """What is below this share of what is promised."""
    ratios = {what: times["joblib"] / times["ndcache"] for what, times in table.items()}
    low = [f"{what}: {ratio:.0f} ×, expected {FLOORS[what] * share:g} ×" for what, ratio in ratios.items() if ratio < FLOORS[what] * share]
    return low + [f"{what}: seen in {seconds:.2f} s, expected {SEEN / share:g} s" for what, seconds in late.items() if seconds > SEEN / share]


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--first"]:
        print(json.dumps(first_hit(*arguments[1:])))
        return 0
    folder = tempfile.mkdtemp()
    try:
        table, late = {**hits(folder), **digests()}, events(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(markdown(table) if "--markdown" in arguments else text(table, late))
    if "--check" not in arguments:
        return 0
    low = failures(table, late, float((arguments[arguments.index("--check") + 1 :] or ["1"])[0]))
    for line in low:
        print(f"below what is promised: {line}")
    return bool(low)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
