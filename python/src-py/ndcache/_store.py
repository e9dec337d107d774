"""A memory's folder as joblib's programs look into it: its place, and its items."""

from __future__ import annotations

import datetime
import os
from typing import Any, NamedTuple

from . import _attributes

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class CacheItemInfo(NamedTuple):
    """A stored call: the file that describes it, its bytes, and when it was used last."""

    path: str
    size: int
    last_access: datetime.datetime


class Store:
    """What joblib calls a store backend, as far as programs read it."""

    def __init__(self, location: str, mmap_mode: str | None = None) -> None:
        vars(self).update(location=location, mmap_mode=mmap_mode)

    def __getattr__(self, name: str) -> Any:
        _attributes.missing(self, "a store of ndcache", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _attributes.refuse_to_set(self, "a store", name)
        super().__setattr__(name, value)

    def get_items(self) -> list[CacheItemInfo]:
        """Returns the stored calls."""
        from ._memory import Memory

        entries = Memory(self.location, verbose=0, mode="read-only").entries()
        return [CacheItemInfo(os.fspath(e.path), e.bytes, datetime.datetime.fromtimestamp(e.used)) for e in entries]

    def _get_items_to_delete(
        self, bytes_limit: Any = None, items_limit: int | None = None, age_limit: datetime.timedelta | None = None
    ) -> list[CacheItemInfo]:
        """Returns the items that have to go for these limits to hold, what was used longest ago first."""
        items = sorted(self.get_items(), key=lambda item: item.last_access)
        limit = sum(item.size for item in items) if bytes_limit is None else bytes_of(bytes_limit)
        most = len(items) if items_limit is None else items_limit
        oldest = datetime.datetime.min if age_limit is None else datetime.datetime.now() - age_limit
        gone = 0
        while gone < len(items) and (
            sum(item.size for item in items[gone:]) > limit or len(items) - gone > most or items[gone].last_access < oldest
        ):
            gone += 1
        return items[:gone]

    def load_item(self, call_id: Any) -> Any:
        """Returns the result of the stored call of ``[func_id, args_id]``."""
        from . import read

        return read(os.path.join(self.location, *call_id))

    def contains_item(self, call_id: Any) -> bool:
        """Returns whether there is a stored call of ``[func_id, args_id]``."""
        return self._entry(call_id) is not None

    def clear_item(self, call_id: Any) -> None:
        """Removes the stored call of ``[func_id, args_id]``, if there is one."""
        entry = self._entry(call_id)
        if entry is not None:
            from ._memory import Memory
            from ._reference import Reference

            Reference(Memory(self.location, verbose=0), entry.function, entry.key, None).clear()

    def get_metadata(self, call_id: Any) -> dict[str, Any]:
        """Returns what a record says of its call; nothing if there is none."""
        return metadata_of(self._entry(call_id))

    def _entry(self, call_id: Any) -> Any:
        from . import _core
        from ._memory import Memory

        path = os.path.join(self.location, *map(str, call_id))
        return _core.record_entry(Memory(self.location, verbose=0, mode="read-only"), path) if path.endswith(".record") else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.location, self.mmap_mode))

    def __repr__(self) -> str:
        return f'Store(location="{self.location}")'


def metadata_of(entry: Any) -> dict[str, Any]:
    """Returns what joblib calls the metadata of a stored call; nothing if there is none."""
    if entry is None:
        return {}
    return {"duration": entry.duration, "time": entry.created, "input_args": dict(entry.arguments)}


def bytes_of(limit: int | str) -> int:
    """Returns a number of bytes, of which ``"10K"`` is 10,240."""
    if isinstance(limit, str) and limit[-1:] in _UNITS:
        return int(float(limit[:-1]) * _UNITS[limit[-1]])
    return int(limit)
