"""Reading what a cache folder holds, without the function that made it."""

from __future__ import annotations

import os
from typing import Any


def read(path: str | os.PathLike[str], mmap_mode: str | None = None) -> Any:
    """Returns the result that a file of a cache folder belongs to: a record's value, or the array of a `.npy` or `.npy.gz`.

    ``path`` is what ``f.path(x)`` or ``entry.path`` says, or one of ``entry.files``. With ``mmap_mode`` "r" or "c" arrays
    that have files are mapped. Raises `FileNotFoundError` if there is no such entry (any more), `PermissionError` if its
    value is a pickle of somebody else's, and `LookupError` for a record of a memory with a salt, of a secret argument, or
    of Rust: of these only the arrays' files can be read.
    """
    import numpy as np

    from ._memory import Memory
    from ._reference import Reference

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
    for entry in memory.entries():
        if os.path.samefile(entry.path, name):
            reference = Reference(memory, *entry.call_id, mmap_mode)
            if reference.key != entry.key:
                raise LookupError(
                    f"the entry of `{name}` is there, but can't be read by its file alone: its key is of a memory with a salt, of "
                    "a secret argument, or of Rust; call the function, or read the arrays in `entry.files`"
                )
            return reference.get()
    raise FileNotFoundError(f"the entry of `{name}` isn't there any more")
