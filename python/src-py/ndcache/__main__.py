"""The command `ndcache`: looks into caches, verifies them, and makes room."""

from __future__ import annotations

import signal
import sys

from ._core import main as _run


def main() -> int:
    # It waits for nothing that Python would have to end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _run(["ndcache", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
