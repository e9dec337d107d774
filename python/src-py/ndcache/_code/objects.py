"""What counts of objects of installed libraries, and of values with parts that can't be told apart.

An object of a library counts by value if its pickle is small, runs no code of the user's and leads to nothing that changes
by use. A container or object of the user's with other parts counts by the rest.
"""

from __future__ import annotations

import copyreg
import functools
import io
import os
import pickle
import struct
import types
import weakref
from collections.abc import Iterator
from typing import Any

from .. import _core
from . import captured, origin

#: What has a longer pickle isn't digested on each call.
MAX_BYTES = 64 * 1024
#: What lies deeper in a value isn't looked at.
_DEEPEST = 40

_HOOKS = ("__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__", "__getattribute__", "__getattr__")
_WEAK = (weakref.WeakValueDictionary, weakref.WeakSet)
_BY_NAME = (types.FunctionType, types.ModuleType, type)


class _Refused(Exception):
    """The object doesn't count by value."""


class _Limited(io.RawIOBase):
    """Takes so many bytes, and keeps none."""

    left = MAX_BYTES

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.left -= size
        if self.left < 0:
            raise _Refused
        return size


class _Probe(pickle.Pickler):
    """Looks at all that an object holds before any of it says what it would be pickled as."""

    def reducer_override(self, item: Any) -> Any:
        if item is str:
            return NotImplemented
        if isinstance(item, _BY_NAME) or captured.is_own(item) or captured.is_file(item) or captured.has_hasher(item):
            return str, ()
        if isinstance(item, types.MethodType):
            return str, (item.__func__, item.__self__)
        if isinstance(item, functools._lru_cache_wrapper):
            return str, (item.__wrapped__,)
        if isinstance(item, types.BuiltinFunctionType):
            return str, (item.__self__,)
        if isinstance(item, types.MappingProxyType):
            return str, (dict(item),)
        if (parts := _parts_of(item)) is not None:
            return str, (parts,)
        if changes_by_use(item) or _runs_code_of_the_user(type(item)) or _bytes_of(item) > MAX_BYTES:
            raise _Refused
        return NotImplemented


def changes_by_use(item: Any) -> bool:
    """Returns whether an object is there to be used up or is another in each process: a generator of random numbers, a stream."""
    if isinstance(item, (Iterator, io.IOBase, type(os.environ))) or captured.is_one_of(item, ("random", "Random")):
        return True
    return any(base.__module__.startswith("numpy.random") for base in type(item).__mro__)


def _runs_code_of_the_user(cls: type) -> bool:
    if cls in copyreg.dispatch_table and origin.kind_of_class(cls) == "user":
        return True
    return any(origin.kind_of_class(base) == "user" and _has_hook(base) for base in cls.__mro__)


def _has_hook(base: type) -> bool:
    """Returns whether a class says itself how it is pickled; what `dataclasses` or attrs writes only reads attributes."""
    hooks = [vars(base)[name] for name in _HOOKS if name in vars(base)]
    return any(not isinstance(hook, types.FunctionType) or origin.kind_of_function(hook) == "user" for hook in hooks)


def _bytes_of(item: Any) -> int:
    """Returns what an array or tensor says of its size."""
    size = 0 if origin.kind_of_class(type(item)) == "user" else captured.attribute(item, "nbytes")
    return size if isinstance(size, int) else 0


def _parts_of(item: Any) -> Any:
    """Returns what counts of an object of those libraries for which there are rules."""
    root = type(item).__module__.partition(".")[0]
    if root not in ("pandas", "scipy", "xarray", "nibabel") and not _is_distribution(type(item)):
        return None
    from .. import _hashers

    return _hashers.parts(item)


def _is_distribution(cls: type) -> bool:
    return any(base.__module__.startswith("scipy.stats") for base in cls.__mro__)


def counts(value: Any) -> bool:
    """Returns whether an object of an installed library counts by value; what was refused once isn't asked again."""
    if _REFUSED.get(id(value)) is value:
        return False
    try:
        _Probe(_Limited(), 5).dump(value)
        is_steady = bool(_core.digest_value(value) == _core.digest_value(value))
    except Exception:  # noqa: BLE001 - what is pickled may raise anything
        is_steady = False
    if not is_steady:
        _refuse(value)
    return is_steady


# The pickle of a large object may take seconds.
_REFUSED: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def _refuse(value: Any) -> None:
    try:
        _REFUSED[id(value)] = value
    except TypeError:  # it has no weak references
        pass


class Rest:
    """Stands for a value with parts that don't count: digested by all others, as they are at that time."""

    __slots__ = ("value", "_known")

    def __init__(self, value: Any) -> None:
        self.value = value
        self._known: dict[int, tuple[Any, bool]] = {}

    @property
    def rest(self) -> Rest:
        """Itself, so that it has a place in which it is found at each call."""
        return self

    def __ndcache_hash__(self) -> Any:
        return _Walk(self._known).of(self.value, "", 0)

    def left_out(self) -> list[tuple[str, Any]] | None:
        """Returns the parts that don't count, each after its place; ``None`` if the value is too large to be digested."""
        walk = _Walk(self._known)
        try:
            walk.of(self.value, "", 0)
        except (_core.Unkeyable, RuntimeError):  # a RuntimeError: another thread changes it meanwhile
            return None
        return walk.left


class _Walk:
    """Makes plain values of a value, part by part; nothing of the user's runs."""

    def __init__(self, known: dict[int, tuple[Any, bool]]) -> None:
        self.known = known
        self.left: list[tuple[str, Any]] = []
        self._open: list[int] = []
        self._weight = 0

    def of(self, item: Any, place: str, depth: int) -> Any:
        self._weight += captured.weight_of_leaf(item)
        if self._weight > captured.MAX_WEIGHT:
            raise _core.Unkeyable(f"it has more than {captured.MAX_WEIGHT >> 10} KiB of plain values")
        if id(item) in self._open:
            return ("cycle", len(self._open) - self._open.index(id(item)))
        if not has_parts(item):
            return self._leaf(item, place)
        if depth > _DEEPEST:
            return self._leave_out(item, place)
        self._open.append(id(item))
        parts = self._parts(item, place, depth + 1)
        self._open.pop()
        return parts

    def _parts(self, item: Any, place: str, depth: int) -> Any:
        if isinstance(item, weakref.ref):
            return ("weakref", self.of(item(), f"{place}()", depth))
        is_container = type(item) in captured.CONTAINERS or isinstance(item, _WEAK)
        return self._container(item, place, depth) if is_container else self._object(item, place, depth)

    def _leaf(self, item: Any, place: str) -> Any:
        if captured.is_immutable(item) or captured.is_data(item):
            return item
        if captured.is_silent(item):
            return ("silent", type(item).__qualname__)
        if (stands_for := value_of(item)) is not None:
            return stands_for
        known = self.known.get(id(item))
        if known is None:
            known = self.known[id(item)] = (item, _is_keyable(item) if captured.is_code(item) or captured.has_hasher(item) else counts(item))
        return item if known[1] else self._leave_out(item, place)

    def _leave_out(self, item: Any, place: str) -> Any:
        self.left.append((place, item))
        return ("uncounted", type(item))

    def _container(self, item: Any, place: str, depth: int) -> Any:
        kind = type(item).__name__
        if isinstance(item, types.SimpleNamespace):
            return (kind, self._attributes(vars(item), place, depth))
        if hasattr(item, "items"):
            pairs = [(key, value) for key, value in list(item.items())]
            more = self.of(getattr(item, "default_factory", None), f"{place}.default_factory", depth)
            return (kind, more, [(self.of(key, _key(place, key), depth), self.of(value, _key(place, key), depth)) for key, value in pairs])
        items = [self.of(element, _key(place, number), depth) for number, element in enumerate(list(item))]
        if isinstance(item, (set, frozenset, weakref.WeakSet)):
            return (kind, sorted(_core.digest_value(element) for element in items))
        return (kind, getattr(item, "maxlen", None), bytes(item) if isinstance(item, bytearray) else items)

    def _object(self, item: Any, place: str, depth: int) -> Any:
        state = getattr(item, "__dict__", {})
        slots = {name: getattr(item, name) for name in captured.slots_of(item) if hasattr(item, name)}
        held = [self.of(part, place, depth) for part in captured.inherited_elements(item)]
        return ("object", type(item), self._attributes(state, place, depth), self._attributes(slots, place, depth), held)

    def _attributes(self, attributes: dict[str, Any], place: str, depth: int) -> Any:
        return [(name, self.of(value, f"{place}.{name}", depth)) for name, value in sorted(attributes.items(), key=lambda entry: str(entry[0]))]


def value_of(item: Any) -> Any:
    """Returns the plain values that stand for an object without a pickle, or with one of what its use leaves there; else ``None``."""
    if isinstance(item, struct.Struct):
        return ("struct", item.format)
    if captured.is_one_of(item, ("decimal", "Context")):
        traps = sorted(signal.__name__ for signal, is_on in item.traps.items() if is_on)
        return ("decimal", item.prec, item.rounding, item.Emin, item.Emax, item.capitals, item.clamp, traps)
    return None


def has_parts(value: Any) -> bool:
    """Returns whether a value is looked into: a builtin container, a weak reference, or an object that holds but attributes."""
    if captured.is_immutable(value) or captured.is_code(value) or captured.is_silent(value) or captured.has_hasher(value):
        return False
    return type(value) in captured.CONTAINERS or isinstance(value, (weakref.ref, *_WEAK)) or captured.is_users_instance(value)


def _key(place: str, key: Any) -> str:
    return f"{place}[{key!r}]" if type(key) in (str, int) else f"{place}[…]"


def _is_keyable(value: Any) -> bool:
    try:
        _core.digest_value(value)
    except Exception:  # noqa: BLE001 - a hasher of the user's may raise anything
        return False
    return True
