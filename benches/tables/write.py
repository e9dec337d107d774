"""Writes what benches have measured into a document: `write.py DOCUMENT ROWS COMPARISON PYTHON`.

ROWS is the file of JSON lines that `benches/ratio` appends to, COMPARISON what `benches/compare/run` printed, PYTHON what
`python/benches/run` did. Only what stands between `<!-- table: NAME -->` and `<!-- end -->` is replaced, so that the words
around it stay. NAME is a bench, `machine`, `compare` or `python`; a table whose bench didn't run stays as it was.
"""

import datetime
import glob
import json
import os
import platform
import re
import sys


def time(seconds):
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")):
        if abs(seconds) >= unit or name == "ns":
            return f"{seconds / unit:.3g} {name}" if abs(seconds) < 1000 * unit else f"{seconds / unit:.0f} {name}"


def cells(row):
    """The cells of one row: what, against what, best, median, goal."""
    if "found" in row:
        return [row["what"], "", row["found"], "", f"{row['wanted']}: {'met' if row['met'] else 'missed'}"]
    pairs = [row["best"], row["median"]]
    kind, limit = row["goal"]["kind"], row["goal"]["limit"]
    if kind == "more":
        values, words = [ours - bare for ours, bare in pairs], lambda value: f"{value * 1e9:+.1f} ns"
    elif kind == "seconds":
        values, words = [ours for ours, _ in pairs], time
    else:
        values, words = [ours / bare for ours, bare in pairs], lambda value: f"{value:.3f}"
    found = [f"{words(value)} ({time(ours)})" for value, (ours, _) in zip(values, pairs)]
    is_met = row.get("met", values[0] <= limit) if kind != "open" else None
    goal = "" if kind == "open" else f"at most {words(limit)}: {'met' if is_met else 'missed'}"
    return [row["what"], row["against"], *found, goal]


def table(rows):
    lines = ["| what | against | best | median | goal |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(cells(row))} |" for row in rows)])


def processor():
    """The processor and what it can do that a bench depends on: `AMD EPYC, family 25 model 17, …`."""
    if not os.path.exists("/proc/cpuinfo"):
        return "an unknown processor"
    with open("/proc/cpuinfo") as info:
        first = dict(re.findall(r"^(.+?)\s*:[ \t]*(.*)$", info.read().split("\n\n")[0], re.MULTILINE))
    words = [first.get("model name", "an unknown processor")]
    if "cpu family" in first:
        words.append(f"family {first['cpu family']} model {first.get('model', '?')}")
    flags = first.get("flags", first.get("Features", "")).split()
    found = [flag for flag in flags if flag == "avx2" or flag == "asimd" or flag.startswith(("avx512", "sve"))]
    return ", ".join([*words, " ".join(found) or "neither avx2 nor avx512", caches()])


def caches():
    """The caches that the first core uses, from the nearest on: `caches 32K 32K 1024K 32768K`."""
    sizes = []
    for index in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        try:
            with open(f"{index}/size") as size:
                sizes.append(size.read().strip())
        except OSError:
            pass
    return f"caches {' '.join(sizes)}" if sizes else "caches unknown"


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    before = os.environ.get("NDCACHE_BENCH_LOAD", "unknown")
    return (
        f"Measured on {datetime.date.today()}: {os.cpu_count()} cores ({processor()}), {memory:.0f} GiB, "
        f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}, default build flags; load before the run {before}, at its end {load}."
    )


def replace(text, name, body):
    pattern = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"the document has no table `{name}`")
    return pattern.sub(lambda found: f"{found[1]}{body}\n{found[2]}", text)


def main(document, rows, comparison, python):
    with open(document) as file:
        text = file.read()
    with open(rows) as file:
        rows = [json.loads(line) for line in file]
    for bench in dict.fromkeys(row["bench"] for row in rows):
        text = replace(text, bench, table([row for row in rows if row["bench"] == bench]))
    for name, printed in (("compare", comparison), ("python", python)):
        if os.path.exists(printed):
            with open(printed) as file:
                text = replace(text, name, file.read().strip())
    text = replace(text, "machine", machine())
    with open(document, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
