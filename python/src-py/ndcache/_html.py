"""How a memory and an explanation look in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from ._messages import reworded

_STYLE = 'style="text-align:left"'


def memory_html(memory: Any) -> str:
    """Returns a table of the functions that were called through a memory: hits, misses, saved time, bytes, reasons; and the last misses."""
    stats = memory.stats()
    total = f"{stats['hits']} hits, {stats['misses']} misses, saved {seconds(stats['saved'])}, spent {seconds(stats['spent'])}"
    rows = [
        (name, str(of["hits"]), str(of["misses"]), seconds(of["saved"]), seconds(of["spent"]), size(of["bytes"]))
        for name, of in stats["by_function"].items()
    ]
    reasons = ", ".join(f"{name} {count}" for name, count in stats["by_reason"].items() if name != "hit")
    head = f"<div><b>ndcache</b> in <code>{escape(str(memory.location))}</code>: {total}</div>"
    body = table(("function", "hits", "misses", "saved", "spent", "bytes"), rows)
    last = table(("last misses", "why"), ((f"{path}({words})", reworded(why)) for path, words, why in memory.last_misses()))
    return head + body + (f"<div>misses: {escape(reasons)}</div>" if reasons else "") + (last if memory.last_misses() else "")


def explanation_html(explanation: Any) -> str:
    """Returns what an explanation says, with a table of what changed."""
    rows = [(str(c.get("kind", "")), str(c.get("name", "")), str(c.get("old", "")), str(c.get("new", ""))) for c in explanation.changes]
    text = f"<div>{escape(str(explanation))}</div>"
    return text + (table(("what", "name", "before", "now"), rows) if rows else "")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns an HTML table; all texts are escaped."""
    lines = ["".join(f"<th {_STYLE}>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td {_STYLE}>{escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def seconds(value: float) -> str:
    """Returns a duration with the unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns" if value else "0 s"


def size(value: float) -> str:
    """Returns a number of bytes with the unit that suits it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} TiB"
