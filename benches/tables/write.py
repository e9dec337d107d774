"""Writes what benches have measured into a document: `write.py DOCUMENT ROWS COMPARISON PYTHON`.

ROWS is the file of JSON lines that `benches/ratio` appends to, COMPARISON what `benches/compare/run` printed, PYTHON what
`python/benches/run` did. Only what stands between `<!-- table: NAME -->` and `<!-- end -->` is replaced, so that the words
around it stay. NAME is a bench, `machine`, `compare` or `python`; a table whose bench didn't run stays as it was.

A table of a bench has a column for each kind of processor that it ran on. Only the column of this one is written anew.
Counts are the same on all of them, and have one column.
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


def more(seconds):
    """A difference of two times: `+23.6 ns`, `-1.96 s`."""
    if abs(seconds) < 1e-6:
        return f"{seconds * 1e9:+.1f} ns"
    return f"{'-' if seconds < 0 else '+'}{time(abs(seconds))}"


def cells(row):
    """What a row is about, the goal, and the cell of this machine: best and median, and whether the best meets the goal."""
    about = (row["what"], row.get("against", ""))
    if "found" in row:
        return about, row["wanted"], f"{row['found']}: {'met' if row['met'] else 'missed'}"
    pairs = [row["best"], row["median"]]
    kind, limit = row["goal"]["kind"], row["goal"]["limit"]
    if kind == "more":
        values, words = [ours - bare for ours, bare in pairs], more
    elif kind == "seconds":
        values, words = [ours for ours, _ in pairs], time
    else:
        values, words = [ours / bare for ours, bare in pairs], lambda value: f"{value:.3f}"
    cell = f"{words(values[0])} ({time(pairs[0][0])}); {words(values[1])}"
    if kind == "open":
        return about, "", cell
    is_met = row.get("met", values[0] <= limit)
    return about, f"at most {words(limit)}", f"{cell}: {'met' if is_met else 'missed'}"


HEADS = ["what", "against", "goal"]

NOT_RUN = "not run"


def columns(table):
    """The columns of a table by machine, each with the cells of its rows; and the goals of the rows."""
    lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.strip().splitlines()]
    if not lines or lines[0][: len(HEADS)] != HEADS:
        return {}, {}
    machines = lines[0][len(HEADS) :]
    rows = {tuple(line[:2]): line for line in lines[2:]}
    goals = {about: line[2] for about, line in rows.items()}
    found = {
        machine: {about: line[n] for about, line in rows.items() if line[n] != NOT_RUN}
        for n, machine in enumerate(machines, len(HEADS))
    }
    return found, goals


def table(rows, machine, before):
    """The table `before` with these rows in the column of this machine."""
    found, goals = columns(before)
    rows = [cells(row) for row in rows]
    found[machine] = {about: cell for about, _, cell in rows}
    goals = {about: goal for about, goal, _ in rows} | {about: goal for about, goal in goals.items() if about not in found[machine]}
    lines = [[*HEADS, *found], ["---"] * (len(HEADS) + len(found))]
    for about, goal in goals.items():
        measured = [column.get(about, NOT_RUN) for column in found.values()]
        if measured != [NOT_RUN] * len(measured):
            lines.append([*about, goal, *measured])
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def cpuinfo():
    """What the kernel knows of the first core; empty where it doesn't say."""
    if not os.path.exists("/proc/cpuinfo"):
        return {}
    with open("/proc/cpuinfo") as info:
        return dict(re.findall(r"^(.+?)\s*:[ \t]*(.*)$", info.read().split("\n\n")[0], re.MULTILINE))


def kind(info):
    """The head of the column of this processor: `AMD EPYC 25/17`, by its family and model."""
    name = info.get("model name", f"unknown {platform.machine()}")
    name = re.sub(r"\((R|TM)\)|\b(CPU|Processor)\b|@.*", " ", name)
    return " ".join([*name.split(), *([f"{info['cpu family']}/{info.get('model', '?')}"] if "cpu family" in info else [])])


def abilities(info):
    """What a bench depends on of what the processor can do."""
    flags = info.get("flags", info.get("Features", "")).split()
    found = [flag for flag in flags if flag == "avx2" or flag == "asimd" or flag.startswith(("avx512", "sve"))]
    return " ".join(found) or "neither avx2 nor avx512"


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


def machines(info, before):
    """The list of machines, with this one's line anew."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    line = (
        f"* **{kind(info)}**, {datetime.date.today()}: {os.cpu_count()} cores, {abilities(info)}, {caches()}; {memory:.0f} GiB, "
        f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}, default build flags; load before the run "
        f"{os.environ.get('NDCACHE_BENCH_LOAD', 'unknown')}, at its end {load}."
    )
    lines = before.strip().splitlines()
    own = [n for n, old in enumerate(lines) if old.startswith(f"* **{kind(info)}**")]
    lines[slice(own[0], own[0] + 1) if own else slice(len(lines), None)] = [line]
    return "\n".join(lines)


def replace(text, name, body):
    """The document with what `body` makes of the table `name`."""
    pattern = re.compile(rf"(<!-- table: {re.escape(name)} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"the document has no table `{name}`")
    return pattern.sub(lambda found: f"{found[1]}{body(found[2])}\n{found[3]}", text)


def main(document, rows, comparison, python):
    info = cpuinfo()
    with open(document) as file:
        text = file.read()
    with open(rows) as file:
        rows = [json.loads(line) for line in file]
    for bench in dict.fromkeys(row["bench"] for row in rows):
        own = [row for row in rows if row["bench"] == bench]
        if bench == "count":
            text = replace(text, bench, lambda _: table(own, "found", ""))
        else:
            text = replace(text, bench, lambda before: table(own, kind(info), before))
    for name, printed in (("compare", comparison), ("python", python)):
        if os.path.exists(printed):
            with open(printed) as file:
                text = replace(text, name, lambda _: f"{kind(info)}, {datetime.date.today()}:\n\n{file.read().strip()}")
    text = replace(text, "machine", lambda before: machines(info, before))
    with open(document, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
