"""Lets the two sides take turns, and prints what they took as a table: `rounds.py PROGRAM [FOLDER OF PLOTS]`.

`NDCACHE_COMPARE_MIB` is the size of the large array (1024 unless said), `NDCACHE_COMPARE_ROUNDS` the number of rounds
(15), `TMPDIR` the disk.
"""

import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from statistics import median

import plot

HERE = os.path.dirname(os.path.abspath(__file__))
LARGE = int(os.environ.get("NDCACHE_COMPARE_MIB", "1024")) << 20
ROUNDS = int(os.environ.get("NDCACHE_COMPARE_ROUNDS", "15"))
KIB, MIB = 1 << 10, 1 << 20
PACKED = min(LARGE, 256 * MIB)

PYTHON = {"joblib", "diskcache", "numpy"}

# What the table says of a row, what the sides are asked for, how large, whether in a process of its own, against whom.
ROWS = [
    ("hash of an array of {}", "hash", 64 * KIB, False, ["joblib"]),
    ("hash of an array of {}", "hash", MIB, False, ["joblib"]),
    ("hash of an array of {}", "hash", LARGE, False, ["joblib"]),
    ("a number, again and again", "number", 0, False, ["joblib", "diskcache", "cached", "cached on disk"]),
    ("a number, first hit of a process", "number", 0, True, ["joblib", "diskcache"]),
    ("{} mapped, again and again", "map", MIB, False, ["joblib"]),
    ("{} mapped, first hit of a process", "map", MIB, True, ["joblib"]),
    ("{} mapped, again and again", "map", LARGE, False, ["joblib"]),
    ("{} mapped, first hit of a process", "map", LARGE, True, ["joblib"]),
    ("a number, its argument {} mapped", "chain", LARGE, False, ["joblib"]),
    ("{} loaded", "load", MIB, False, ["joblib", "diskcache", "cacache", "cached on disk"]),
    ("{} loaded", "load", LARGE, False, ["numpy", "joblib", "diskcache", "cacache", "cached on disk"]),
    ("{} stored", "store", LARGE, False, ["joblib", "diskcache", "cacache", "cached on disk"]),
    ("{} of measurements stored, compressed", "pack", PACKED, False, ["joblib"]),
    ("{} of measurements loaded, compressed", "unpack", PACKED, False, ["joblib"]),
]


class Sides:
    """A process for each language, which waits while the other one is measured."""

    def __init__(self, program, folder):
        self.folder = folder
        self.commands = {True: [sys.executable, os.path.join(HERE, "peers.py")], False: [program]}
        self.workers = {python: self.start(python) for python in self.commands}

    def start(self, python):
        command = [*self.commands[python], "worker", self.folder]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def seconds(self, peer, what, size, first):
        python = peer in PYTHON
        if first:
            command = [*self.commands[python], "first", self.folder, peer, what, str(size)]
            return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        worker = self.workers[python]
        worker.stdin.write(f"{peer} {what} {size}\n")
        answer = worker.stdout.readline()
        if not answer:
            raise SystemExit(f"no answer to `{peer} {what} {size}`")
        return float(answer)

    def rounds(self, what, size, first, peers):
        """The sorted seconds of each peer, which took turns."""
        seconds = {peer: [] for peer in peers}
        if first:
            # What is hit has to be stored.
            for peer in peers:
                self.seconds(peer, what, size, False)
        for turn in range(ROUNDS):
            for peer in peers if turn % 2 == 0 else reversed(peers):
                seconds[peer].append(self.seconds(peer, what, size, first))
        return {peer: sorted(times) for peer, times in seconds.items()}

    def end(self):
        for worker in self.workers.values():
            worker.stdin.close()
            worker.wait()


def words(size):
    for unit, name in ((1 << 30, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"


def time(seconds):
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")):
        if seconds >= unit or name == "ns":
            return f"{seconds / unit:.3g} {name}" if seconds < 1000 * unit else f"{seconds / unit:.0f} {name}"


def ratio(theirs, ours):
    value = theirs / ours
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 1 else f"{value:.1f}"


def machine():
    cpu = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        lines = [line for line in open("/proc/cpuinfo") if line.startswith("model name")]
        cpu = lines[0].split(":")[1].strip() if lines else cpu
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return f"{os.cpu_count()} cores ({cpu}), {platform.system()} {platform.release()}, load {load}"


def crate(name):
    lines = open(os.path.join(HERE, "Cargo.lock")).read().split("\n")
    return lines[lines.index(f'name = "{name}"') + 1].split('"')[1]


def table(sides):
    packages = [f"{name} {version(name)}" for name in ("joblib", "diskcache", "numpy")]
    packages += [f"{name} {crate(name)}" for name in ("cached", "cacache")]
    print(f"{', '.join(packages)}; Python {platform.python_version()}; {machine()}; {ROUNDS} rounds")
    print()
    print("| what | ndcache: best, median | against | best, median | times as long: best, median |")
    print("| --- | --- | --- | --- | --- |")
    for name, what, size, first, peers in ROWS:
        seconds = sides.rounds(what, size, first, ["ndcache", *peers])
        ours = seconds.pop("ndcache")
        for peer, theirs in seconds.items():
            cells = [
                name.format(words(size)),
                f"{time(ours[0])}, {time(median(ours))}",
                peer,
                f"{time(theirs[0])}, {time(median(theirs))}",
                f"{ratio(theirs[0], ours[0])}, {ratio(median(theirs), median(ours))}",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


def packed(sides):
    """How much room the measurements take; both sides compress by level 3."""
    ours, theirs = (sides.seconds(peer, "packed", PACKED, False) for peer in ("ndcache", "joblib"))
    print()
    print(f"Compressed, the measurements take {ours / PACKED:.3f} of their room, {ours / theirs:.3f} of joblib's.")


PLOTTED = [
    ("hash", ["xor", "ndcache", "joblib"]),
    ("load", ["plain", "ndcache", "joblib"]),
    ("map", ["ndcache", "joblib"]),
]


def plots(sides, folder):
    sizes = [size for size in (4**n * KIB for n in range(1, 11)) if size < LARGE] + [LARGE]
    labels = [words(size) for size in sizes]
    rounds = {what: [sides.rounds(what, size, False, peers) for size in sizes] for what, peers in PLOTTED}

    def best(what, peer):
        return [seconds[peer][0] for seconds in rounds[what]]

    def speed(peer):
        return [size / seconds / 1e9 for size, seconds in zip(sizes, best("hash", peer))]

    throughput = {"reading (XOR)": speed("xor"), "ndcache::digest": speed("ndcache"), "joblib.hash": speed("joblib")}
    path = os.path.join(folder, "throughput.svg")
    plot.write(path, "Hashing an array: GB/s by its size", labels, throughput, lambda value: f"{value:g}")

    ways = [("load", "loaded"), ("map", "mapped")]
    latency = {f"{peer}, {way}": best(what, peer) for peer in ("joblib", "ndcache") for what, way in ways}
    latency = {"reading a file": best("load", "plain"), **latency}
    path = os.path.join(folder, "latency.svg")
    plot.write(path, "A repeated hit: time by size of its result", labels, latency, time)


def main(program, folder=None):
    with tempfile.TemporaryDirectory() as place:
        sides = Sides(program, place)
        try:
            table(sides)
            packed(sides)
            if folder:
                plots(sides, folder)
        finally:
            # Before their folder goes: a round that is under way would make it again.
            sides.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
