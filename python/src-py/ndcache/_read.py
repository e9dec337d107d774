"""Reading what a cache folder holds, without the function that made it."""

from __future__ import annotations

import os
from typing import Any


def read(path: str | os.PathLike[str], mmap_mode: str | None = None) -> Any:
    """Returns the result that a file of a cache folder belongs to: a record's value, or the array of a `.npy` or `.npy.gz`.

    ``path`` is what ``f.path(x)`` or ``entry.path`` says, or one of ``entry.files``. With ``mmap_mode`` "r" or "c" arrays
    that have files are mapped. Raises `FileNotFoundError` if there is no such entry (any more), `PermissionError` if its
    value is a pickle of somebody else's, and `KeyError` if it is damaged. It needs neither the function nor the memory's salt;
    of a function of Rust tuples come back as lists, structures as dicts.
    """
    import numpy as np

    from . import _core
    from ._memory import Memory

    name = os.path.abspath(os.fspath(path))
    if name.endswith(".npy"):
        return np.load(name, mmap_mode=mmap_mode, allow_pickle=False)  # type: ignore[arg-type]
    if name.endswith(".npy.gz"):
        if mmap_mode is not None:
            raise ValueError(f"`{name}` is compressed, and can't be mapped")
        import gzip

        with gzip.open(name) as file:
            return np.load(file, allow_pickle=False)
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(name))))
    if not name.endswith(".record") or not os.path.exists(name):
        raise FileNotFoundError(f"`{name}` is no record of a cache folder, expected what `f.path(…)` says")
    memory = Memory(folder, mmap_mode=mmap_mode, verbose=0, mode="read-only")
    found = _core.read_record(memory, name)
    if found is None:
        raise FileNotFoundError(f"the entry of `{name}` isn't there any more")
    return found[0]
