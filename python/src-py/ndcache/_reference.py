"""References to stored results: small, picklable, and good as arguments."""

from __future__ import annotations

import sys
import types
from typing import Any

from . import _attributes
from ._core import CoreReference
from ._store import Store, metadata_of


class _LooksLikeJoblibs:
    """Answers ``isinstance(result, joblib.memory.MemorizedResult)`` with yes once joblib is loaded."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        joblib = sys.modules.get("joblib.memory")
        found = getattr(joblib, "MemorizedResult", None)
        return found if isinstance(found, type) and found.__module__ == "joblib.memory" else type(self)


class Reference(_LooksLikeJoblibs, CoreReference):
    """A reference to a stored result: ``get()`` loads it, ``clear()`` removes it.

    As an argument it counts by the content of that result, of which but the record is read, and what is computed from it
    expires with it.
    """

    __class_getitem__ = classmethod(types.GenericAlias)

    @property
    def store_backend(self) -> Store:
        """The folder and how arrays are loaded from it, as joblib's programs ask for them."""
        return Store(self.memory.location, self.mmap_mode)

    @property
    def mmap_mode(self) -> str | None:
        """How arrays of the result are loaded."""
        mode = self.__reduce__()[1][3]
        return mode if isinstance(mode, str) else None

    @property
    def metadata(self) -> dict[str, Any]:
        """When the result was computed, how long it took, and the arguments in words; empty if nothing is stored any more."""
        return metadata_of(self.entry)

    @property
    def duration(self) -> float | None:
        """How long the result took to compute, in seconds."""
        return self.metadata.get("duration")

    @property
    def timestamp(self) -> float:
        """When the memory was made, in seconds since 1970; `metadata["time"]` is when the result was."""
        return self.memory.timestamp

    @property
    def verbose(self) -> int:
        """How much is printed."""
        return self.memory.verbose

    def __getattr__(self, name: str) -> Any:
        _attributes.missing(self, "a reference of ndcache", name)

    @property
    def func_id(self) -> str:
        """The path of the function."""
        return self.function_path

    func = func_id

    @property
    def _call_id(self) -> tuple[Any, ...]:
        """What `ndcache.joblib.MemorizedResult` makes a reference of again, beside the folder."""
        return tuple(self.__reduce__()[1][1:3])

    @property
    def args_id(self) -> str:
        """The key of the call, in hex."""
        return self.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self.key == other.key and self.memory.location == other.memory.location

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f'MemorizedResult(location="{self.memory.location}", func="{self.func_id}", args_id="{self.args_id}")'


class NotStored:
    """A result that couldn't be stored, in the place of a reference to it."""

    def __init__(self, value: Any) -> None:
        self._value: Any = (value,)

    def get(self) -> Any:
        """Returns the result; raises `KeyError` after `clear`."""
        if self._value is None:
            raise KeyError("no value stored: it was cleared")
        return self._value[0]

    def clear(self) -> None:
        """Forgets the result."""
        self._value = None

    @property
    def value(self) -> Any:
        """The result; ``None`` after `clear`."""
        return self._value[0] if self.valid else None

    @property
    def valid(self) -> bool:
        """Whether there still is a result."""
        return self._value is not None


def reference(core: CoreReference | None, value: Any) -> Reference | NotStored:
    """Returns what a call that was shelved gives its caller."""
    return NotStored(value) if core is None else Reference(*core.__reduce__()[1])
