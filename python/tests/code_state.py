"""Prints what the keys of ``prog.f`` depend on, for each folder given on the command line; each in a process of its own."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings


def state(folder: str) -> str:
    """Returns what the keys of ``prog.f`` in the folder depend on."""
    from ndcache import _core
    from ndcache._code import Resolver

    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    import prog

    def now(kind, name, holder, key):
        held = holder.cell_contents if kind == "cell" else holder[key] if kind == "slot" else getattr(holder, key)
        return name, _core.digest_value(held).hex()

    body, parts, _, dynamic = Resolver(prog.f, "prog.f")()
    return repr((body.hex(), [(name, part.hex()) for name, part in parts], [now(*item) for item in dynamic]))


def in_child(folder: str) -> None:
    """Writes the state, or the error, into the folder."""
    try:
        text = state(folder)
    except BaseException:
        text = "failed: " + traceback.format_exc()
    with open(os.path.join(folder, "state"), "w") as file:
        file.write(text)
    os._exit(0)


if __name__ == "__main__":
    import ndcache._code  # noqa: F401 - once for all children

    for name in filter(None, os.environ.get("PRELOAD", "").split()):
        importlib.import_module(name)

    for argument in sys.argv[1:]:
        child = os.fork()
        if not child:
            in_child(argument)
        os.waitpid(child, 0)
