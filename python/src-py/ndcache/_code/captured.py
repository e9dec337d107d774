"""How a value counts that code captures: a global, the content of a cell, a default, an entry of a class."""

from __future__ import annotations

import array
import collections
import datetime
import enum
import functools
import operator
import re
import sys
import threading
import types
import typing
import weakref
from enum import Enum
from typing import Any

from .. import _core
from .origin import kind_of_class
from .reach import FITS

#: Containers of more plain values, in bytes, are data, not settings: hashing them on each call would cost too much.
MAX_WEIGHT = 256 * 1024
_MOST_LEAVES = 100_000

_ATOMS: tuple[type, ...] = (
    type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented), range,
    datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, re.Pattern,
)  # fmt: skip
#: Atoms and silent objects of modules that take long to import: there is none of them before its module is loaded.
_LATER_ATOMS = (("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID"), ("pathlib", "PurePath"))
_LATER_SILENT = (("logging", "Logger"), ("logging", "LoggerAdapter"), ("logging", "Handler"))
_CODE: tuple[type, ...] = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, type, functools.partial,
    types.MethodWrapperType, types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType,
    staticmethod, classmethod, property, functools.cached_property, functools.singledispatchmethod,
    functools.partialmethod, types.DynamicClassAttribute,
)  # fmt: skip
_DESCRIPTORS = (types.MethodWrapperType, types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType)
#: What holds elements, or attributes and nothing else.
CONTAINERS: tuple[type, ...] = (
    list, dict, set, bytearray, tuple, frozenset, collections.deque, collections.OrderedDict, collections.defaultdict,
    collections.Counter, collections.ChainMap, types.SimpleNamespace, types.MappingProxyType,
)  # fmt: skip
#: What holds elements beside attributes.
CONTAINERS_AND_ARRAYS: tuple[type, ...] = tuple(kind for kind in CONTAINERS if kind is not types.SimpleNamespace)
# Objects that have no bearing on what a function returns.
_SILENT: tuple[type, ...] = (
    type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Event, threading.Semaphore,
    typing.TypeVar, types.GetSetDescriptorType, types.MemberDescriptorType,
)  # fmt: skip


def is_one_of(value: Any, *named: tuple[str, str]) -> bool:
    """Returns whether a value is an instance of one of these types, each named by its module and its name there."""
    return any(isinstance(value, getattr(sys.modules.get(module), name, ())) for module, name in named)


class Way(enum.Enum):
    """How a captured value enters the key."""

    VALUE = "by value, once: it can't change"
    EACH_CALL = "by value, on each call"
    CODE = "by its code"
    ARRAY = "by content, on each call"
    SILENT = "not at all"
    UNKNOWN = "not at all, with a warning"


def way_of(value: Any) -> Way:
    """Returns how a captured value counts."""
    if is_code(value):
        return Way.CODE
    if is_immutable(value):
        return Way.VALUE
    if is_silent(value):
        return Way.SILENT
    if is_data(value):
        return Way.ARRAY
    return Way.EACH_CALL if is_plain(value) else Way.UNKNOWN


def is_silent(value: Any) -> bool:
    """Returns whether a value has no bearing on what a function returns."""
    return isinstance(value, _SILENT) or is_own(value) or is_one_of(value, *_LATER_SILENT)


def has_hasher(value: Any) -> bool:
    """Returns whether the class of an object says what counts of it."""
    return callable(attribute(type(value), "__ndcache_hash__"))


def is_code(value: Any) -> bool:
    """Returns whether a value counts by its code: functions, classes, modules, and what wraps them."""
    return isinstance(value, _CODE) or (callable(value) and (is_wrapper(value) or _is_named(value)))


def holds_code(value: Any) -> bool:
    """Returns whether a builtin container has functions, classes or modules as elements."""
    if type(value) not in (dict, list, tuple, set, frozenset):
        return False
    return any(is_code(item) for item in (list(value.values()) if type(value) is dict else list(value)))


def _is_named(value: Any) -> bool:
    """Returns whether an object of an installed class is a function by its name, as NumPy's ufuncs are."""
    return isinstance(attribute(value, "__name__"), str) and kind_of_class(type(value)) != "user"


def is_object(value: Any) -> bool:
    """Returns whether a callable with a name is none that its module has by it: it was made of something."""
    module, name = attribute(value, "__module__"), attribute(value, "__name__")
    if isinstance(value, (type, types.BuiltinFunctionType, *_DESCRIPTORS)) or not isinstance(module, str):
        return False
    return attribute(sys.modules.get(module), name) is not value


def attribute(value: Any, name: str) -> Any:
    """Returns an attribute, or ``None``: those of proxies may raise anything."""
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001
        return None


def is_wrapper(value: Any) -> bool:
    """Returns whether an object of an installed class wraps a function; one of the user's counts by value, as any other."""
    return wrapped_by(value) is not None and kind_of_class(type(value)) != "user"


def is_own(value: Any) -> bool:
    """Returns whether a value is of ndcache or of joblib.Memory: where results are kept doesn't change them."""
    module = type(value).__module__
    return module == "joblib.memory" or (module.partition(".")[0] == __name__.partition(".")[0] and not is_file(value))


def is_file(value: Any) -> bool:
    """Returns whether a value is a file that counts by its content, or by its size and times."""
    return isinstance(value, (_core.FileContent, _core.FileStamp))


def wrapped_by(value: Any) -> tuple[str, Any] | None:
    """Returns the function inside an object that wraps one, after the name of its attribute.

    ``functools.lru_cache``, Numba, ``numpy.vectorize`` and cached functions are such objects.
    """
    if isinstance(value, type) or isinstance(value, Enum):
        return None
    for name in ("__wrapped__", "py_func", "func", "pyfunc"):
        inner = attribute(value, name)
        if callable(inner) and inner is not value:
            return name, inner
    return None


def function_of_ufunc(value: Any) -> Any:
    """Returns the Python function inside a ufunc that ``np.frompyfunc`` made, or ``None``."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ufunc):
        return None
    from .. import _hashers

    return _hashers.function_of_ufunc(value)


def is_immutable(value: Any, leaves: int = _MOST_LEAVES) -> bool:
    """Returns whether a value, all that it holds included, can't change."""
    stack = [value]
    while stack:
        leaves -= 1
        item = stack.pop()
        if leaves < 0:
            return False
        if type(item) in (tuple, frozenset):
            stack.extend(item)
        elif isinstance(item, slice):
            stack.extend((item.start, item.stop, item.step))
        elif isinstance(item, Enum):
            stack.append(item._value_)
        elif isinstance(item, (datetime.datetime, datetime.time)) and item.tzinfo is not None and _is_plain(item):
            stack.append(item.tzinfo)
        elif not (_is_atom(item) and _is_plain(item)) and not _is_scalar_of_library(item):
            return False
    return True


def classes_of(value: Any) -> list[type]:
    """Returns the user's classes among the types of an immutable value and of what it holds."""
    stack, found = [value], {}
    while stack:
        item = stack.pop()
        if type(item) in (tuple, frozenset):
            stack.extend(item)
        elif type(item).__module__ != "builtins" and kind_of_class(type(item)) == "user":
            found[type(item)] = None
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))


def _is_atom(item: Any) -> bool:
    return isinstance(item, _ATOMS) or is_one_of(item, *_LATER_ATOMS)


def _is_plain(item: Any) -> bool:
    """Returns whether an atom is of the type itself; an instance of a user's subclass has a state of its own."""
    if any(kind_of_class(cls) == "user" and _slots(cls) for cls in type(item).__mro__):
        return False
    if not hasattr(item, "__dict__") or isinstance(item, re.Pattern) or is_one_of(item, ("pathlib", "PurePath")):
        return True
    return isinstance(item, datetime.tzinfo) and kind_of_class(type(item)) != "user"


def _is_scalar_of_library(item: Any) -> bool:
    pandas = sys.modules.get("pandas")
    if pandas is not None and type(item) in (pandas.Timestamp, pandas.Timedelta, pandas.Period, pandas.Interval, type(pandas.NaT)):
        return True
    return isinstance(item, (operator.itemgetter, operator.attrgetter)) or _is_numpy_scalar(item)


def _is_numpy_scalar(item: Any) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return False
    if isinstance(item, numpy.dtype):
        return True
    return isinstance(item, numpy.generic) and not isinstance(item, (numpy.void, numpy.object_))


def is_changed_by(value: Any, method: str | None) -> bool:
    """Returns whether a method of this name changes a builtin container or an array; ``None`` stands for an assignment."""
    if method is None:
        return True
    if method in FITS:
        return parameters_of(value) is not None
    if is_array(value):
        return method in ("sort", "fill", "put", "itemset", "resize", "partition", "setfield", "byteswap")
    return isinstance(value, CONTAINERS) and type(value).__module__ in ("builtins", "collections")


def parameters_of(value: Any) -> list[str] | None:
    """Returns the names of what an installed library's estimator was made with; ``None`` if it is none."""
    if kind_of_class(type(value)) == "user" or not callable(attribute(type(value), "get_params")):
        return None
    try:
        return list(value.get_params(deep=False))
    except Exception:  # noqa: BLE001 - another library's method of that name
        return None


def is_array(value: Any) -> bool:
    """Returns whether a value is a NumPy array."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def is_frozen_array(value: Any) -> bool:
    """Returns whether nobody can write to an array: its bytes are those of a `bytes`.

    Whoever has an array that owns its memory may make it writable again, or may have a view that still is.
    """
    while is_array(value):
        if value.flags.writeable or value.dtype.hasobject or type(value).__name__ == "memmap":
            return False
        value = value.base
    return isinstance(value, bytes)


def is_data(value: Any) -> bool:
    """Returns whether a value is an array, a view of bytes, a table, a sparse matrix, or a file that counts."""
    if is_array(value) or is_file(value):
        return True
    module = type(value).__module__
    if module.startswith("scipy.sparse"):
        return True
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series, pandas.Index, pandas.Categorical)):
        return True
    return type(value) in (array.array, memoryview)


def is_plain(value: Any) -> bool:
    """Returns whether an object holds but plain values, arrays and code, and not too many of them to be hashed on each call."""
    stack, seen, weight = [value], {id(value): value}, 0
    while stack and weight <= MAX_WEIGHT:
        item = stack.pop()
        weight += weight_of_leaf(item)
        if is_data(item) or is_immutable(item) or is_one_of(item, ("logging", "Logger")) or is_own(item) or is_code(item):
            continue
        if isinstance(item, weakref.WeakKeyDictionary) and item is not value:
            continue  # It finds objects by identity: a value with one has no digest, and the call isn't cached.
        if (bulk := _weight_in_bulk(item)) is not None:
            weight += bulk
            continue
        children = None if is_silent(item) else _children(item)
        if children is None:
            return False
        fresh = [child for child in children if id(child) not in seen]
        seen.update((id(child), child) for child in fresh)
        stack.extend(fresh)
    return weight <= MAX_WEIGHT


def weight_of_leaf(item: Any) -> int:
    """Returns about how many bytes a plain value adds to what is hashed."""
    return 8 + len(item) if isinstance(item, (str, bytes, bytearray)) else 8


def _weight_in_bulk(item: Any) -> int | None:
    """Returns the weight of a container of nothing but numbers and texts, without a look at each."""
    if type(item) not in (list, tuple, set, frozenset, dict):
        return None
    parts = [*item.keys(), *item.values()] if type(item) is dict else list(item)
    kinds = set(map(type, parts))
    if not kinds <= _SCALARS:
        return None
    return 8 * len(parts) + (sum(len(part) for part in parts if type(part) in (str, bytes)) if kinds & {str, bytes} else 0)


_SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes})


def _children(item: Any) -> list[Any] | None:
    if type(item) in CONTAINERS:
        return _elements(item)
    if has_hasher(item):
        return []
    if type(item) in (datetime.datetime, datetime.time):
        return [item.tzinfo]
    if is_users_instance(item):
        state = list(vars(item).values()) if hasattr(item, "__dict__") else []
        return state + [getattr(item, name, None) for name in slots_of(item)] + inherited_elements(item)
    return None


def inherited_elements(item: Any) -> list[Any]:
    """Returns the elements of an object whose class derives from a builtin container."""
    return _elements(item) if isinstance(item, CONTAINERS) else []


def slots_of(item: Any) -> list[str]:
    """Returns the names of the slots of an object."""
    return [name for cls in type(item).__mro__ for name in _slots(cls)]


def _elements(item: Any) -> list[Any]:
    try:
        if isinstance(item, (dict, types.MappingProxyType, collections.ChainMap)):
            return [*item.keys(), *item.values()]
        if isinstance(item, types.SimpleNamespace):
            return list(vars(item).values())
        return [] if isinstance(item, bytearray) else list(item)
    except RuntimeError:  # changed by another thread meanwhile
        return [object()]


def _slots(cls: type) -> list[str]:
    slots = cls.__dict__.get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [_mangled(cls, name) for name in names if name not in ("__dict__", "__weakref__")]


def _mangled(cls: type, name: str) -> str:
    is_private = name.startswith("__") and not name.endswith("__")
    return f"_{cls.__name__.lstrip('_')}{name}" if is_private else name


def is_users_instance(item: Any) -> bool:
    """Returns whether an object is of a class of the user, whose state is what its attributes hold."""
    cls = type(item)
    if kind_of_class(cls) != "user":
        return cls.__module__ == "argparse"
    return all(kind_of_class(base) == "user" or base in (object, *CONTAINERS) or _is_abstract(base) for base in cls.__mro__)


def _is_abstract(base: type) -> bool:
    return base.__module__ in ("abc", "typing", "collections.abc") or not (hasattr(base, "__slots__") or base.__init__ is not object.__init__)
