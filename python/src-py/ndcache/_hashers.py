"""What counts of values whose types are NumPy's, pandas', SciPy's and xarray's.

Each function returns values that the walk knows; they count in place of the object, beside its class.
"""

from __future__ import annotations

import ast
import copyreg
import gc
import platform
import sys
import warnings

import numpy as np
from numpy.lib import format as npy

# NumPy's arrays ------------------------------------------------------------------------------------------------------

_OBJECT = np.dtype(object).num


def plain_descr(dtype: np.dtype) -> str | None:
    """NumPy's text for a dtype as in a `.npy`, if that says all of it."""
    if dtype.hasobject or dtype.metadata or dtype.itemsize == 0 or dtype.isbuiltin == 2:
        return None
    if dtype.names is None:
        if dtype.subdtype is not None or dtype.kind not in "biufcSUVMm":
            return None
        text = dtype.str
        return text if text.isascii() and np.dtype(text) == dtype and dtype.type is np.dtype(text).type else None
    if dtype.type is not np.void or dtype.isalignedstruct or _has_gaps(dtype):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            descr = npy.dtype_to_descr(dtype)
            if npy.descr_to_dtype(descr) != dtype:
                return None
        except (UserWarning, ValueError, TypeError):
            return None
    text = repr(descr)
    return text if text.isascii() and text.isprintable() else None


def _has_gaps(dtype: np.dtype) -> bool:
    """Whether some bytes of an element belong to no field, or to two, or a field holds what isn't plain."""
    end = 0
    for name in dtype.names or ():
        field, offset = dtype.fields[name][:2]
        if offset != end:
            return True
        base = field.base
        if base.metadata or base.isbuiltin == 2 or (base.names is not None and (_has_gaps(base) or base.isalignedstruct)):
            return True
        end = offset + field.itemsize
    return dtype.names is not None and end != dtype.itemsize


def dtype_of(descr: str) -> np.dtype:
    """The dtype of a text that `plain_descr` has made, or a `.npy` has.

    Never one of objects: the bytes of a file would become addresses.
    """
    dtype = npy.descr_to_dtype(ast.literal_eval(descr)) if descr.startswith("[") else np.dtype(descr)
    if dtype.hasobject:
        raise ValueError(f"dtype `{descr}` has objects in it, which are never loaded from files")
    return dtype


def tidy(array: np.ndarray) -> np.ndarray:
    """The elements without gaps, in C order if they lie in none, and without bytes that mean nothing."""
    plain = np.asarray(array)
    order = "F" if plain.flags.f_contiguous and not plain.flags.c_contiguous else "C"
    copied = np.array(plain, dtype=plain.dtype, order=order, copy=True, subok=False)
    _clear_padding(copied)
    return copied


def _clear_padding(array: np.ndarray) -> None:
    """Zeroes the bytes of 80-bit floats that lie between them."""
    dtype = array.dtype
    if dtype.names is not None:
        for name in dtype.names:
            _clear_padding(array[name])
        return
    is_padded = (dtype.kind == "f" and dtype.itemsize == 16) or (dtype.kind == "c" and dtype.itemsize == 32)
    if is_padded and array.size:
        copied = array.copy(order="C")
        copied.reshape(-1).view(np.uint8).reshape(-1, 16)[:, 10:] = 0
        array[...] = copied


def sample(array: np.ndarray) -> np.ndarray:
    """Some elements that are spread evenly over an array which lies in memory with gaps."""
    plain = np.asarray(array)
    places = np.linspace(0, plain.size - 1, 1 << 16).astype(np.intp)
    return np.ascontiguousarray(plain[np.unravel_index(places, plain.shape)])


def in_c_order(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(array)).reshape(array.shape)


def scalar_bytes(scalar: np.generic, descr: str, itemsize: int) -> bytes:
    """The bytes of a scalar; NaN and NaT are one each."""
    array = np.array(scalar)
    if array.dtype.kind == "f" and np.isnan(array):
        array = np.full((), np.nan, array.dtype)
    elif array.dtype.kind == "c" and np.isnan(array):
        real, imag = (np.nan if np.isnan(part) else part for part in (array.real, array.imag))
        array = np.empty((), array.dtype)
        array.real, array.imag = real, imag
    if sys.byteorder == "little" and platform.machine() == "x86_64":
        _clear_padding(array)
    return array.tobytes()


def of_scalar(scalar: np.generic) -> np.ndarray | None:
    """A scalar as an array without axes, if it comes back from it."""
    if isinstance(scalar, np.void):
        return None
    array = np.array(scalar)
    return array if type(array[()]) is type(scalar) else None


def empty(shape, dtype, order):
    return np.empty(shape, dtype, order)


def of_bytes(data: np.ndarray, shape, dtype, order):
    return data.view(dtype).reshape(shape, order=order)


def array_parts(array: np.ndarray):
    """An array whose dtype has no plain text: by its dtype and shape, and its elements."""
    plain = np.asarray(array)
    fortran = plain.flags.f_contiguous and not plain.flags.c_contiguous
    dtype = plain.dtype
    if dtype.hasobject:
        if dtype.names is not None:
            fields = [(name, plain[name]) for name in dtype.names]
            return "fields", dtype, plain.shape, fortran, fields
        # NumPy's texts of variable length aren't objects, but `tolist` returns them as objects.
        head = ("objects",) if dtype.num == _OBJECT and dtype.metadata is None else ("objects of", dtype)
        return *head, plain.shape, fortran, plain.ravel().tolist()
    if dtype.names is not None and not _overlaps(dtype):
        fields = [(name, np.ascontiguousarray(plain[name])) for name in dtype.names]
        return "fields", dtype, plain.shape, fortran, fields
    data = np.ascontiguousarray(plain)
    return "bytes", dtype, plain.shape, fortran, data.tobytes()


def _overlaps(dtype: np.dtype) -> bool:
    spans = sorted((dtype.fields[name][1], dtype.fields[name][0].itemsize) for name in dtype.names)
    return any(start + size > after for (start, size), (after, _) in zip(spans, spans[1:]))


# Libraries -----------------------------------------------------------------------------------------------------------


def parts(value):
    """What counts of an object of a library, in place of what it would be pickled as; None if it has no rule."""
    if isinstance(value, np.ufunc):
        inner = function_of_ufunc(value)
        return None if inner is None else ("frompyfunc", value.nin, value.nout, value.identity, inner)
    for base in type(value).__mro__:
        root = base.__module__.split(".", 1)[0]
        if base.__module__.startswith("numpy.ma"):
            return _masked(value) if isinstance(value, np.ma.MaskedArray) else None
        if root == "pandas":
            return _pandas(value)
        if root == "scipy":
            return _scipy(value)
        if root == "xarray":
            return _xarray(value)
        if root == "nibabel":
            return _nibabel(value)
    return None


def function_of_ufunc(ufunc):
    """The Python function that `np.frompyfunc` has made a ufunc of: only the collector of garbage tells it."""
    if not ufunc.__name__.endswith(" (vectorized)"):
        return None
    return next((held for held in gc.get_referents(ufunc) if callable(held)), None)


def added(value, counts_else):
    """What a user's class keeps in an instance of a type of Python's, NumPy's or pandas', whose pickle has no room for it.

    None if it keeps nothing. A class of the user's may say itself what it is pickled as: then that, if it `counts_else` by no
    pickle.
    """
    cls = type(value)
    pickled_by = _definer(cls, "__reduce_ex__")
    if pickled_by is object:
        pickled_by = _definer(cls, "__reduce__")
    if not _is_of_python(pickled_by):
        return value.__reduce_ex__(5) if counts_else else None
    if pickled_by is object:
        return None  # it has a state, unless a method of the user's says that there is none
    base = next(base for base in cls.__mro__ if _is_of_python(base))
    # Not by `__dict__`: to read that of an exception or a stream gives it one, which its own pickle has in it then.
    state = object.__getstate__(value)
    own, slots = state if isinstance(state, tuple) else (state, None)
    of_base = copyreg._slotnames(base)
    own = {**(own or {}), **{name: item for name, item in (slots or {}).items() if name not in of_base}}
    return own or None


def _definer(cls, name):
    return next(base for base in cls.__mro__ if name in vars(base))


def _is_of_python(cls):
    root = cls.__module__.partition(".")[0] if isinstance(cls.__module__, str) else ""
    return root in ("builtins", "numpy", "pandas") or root in sys.stdlib_module_names


def _extras(value, known=frozenset()):
    """Attributes that a user or a user's subclass has added: those of the libraries themselves begin with `_`."""
    attributes = getattr(value, "__dict__", None)
    if not attributes:
        return ()
    return sorted((name, item) for name, item in attributes.items() if name not in known and not name.startswith("_"))


def _of_users(value, root, known):
    """What a user's subclass of a library's class has in slots and under names with an underscore that the library hasn't."""
    cls = type(value)
    if cls.__module__.split(".", 1)[0] == root:
        return []
    from ._code import origin

    if not any(origin.kind_of_class(base) == "user" for base in cls.__mro__):
        return []
    library = next(base for base in cls.__mro__ if base.__module__.split(".", 1)[0] == root)
    slots = set(copyreg._slotnames(cls)) - set(copyreg._slotnames(library))
    own = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    attributes = getattr(value, "__dict__", None) or {}
    own.update((name, item) for name, item in attributes.items() if name.startswith("_") and name not in known)
    return sorted(own.items())


#: What pandas keeps in the attributes of its objects: their parts, and what it has computed of them.
_OF_PANDAS = frozenset(
    "_mgr _attrs _flags _name _item_cache _is_copy _cacher _data _cache _id _range _levels _codes _names _sortorder "
    "_no_setting_name _reset_identity _ndarray _dtype _freq _mask _left _right _closed _pa_array _hasna _readonly _references _engine".split()
)


def _masked(value):
    if value is np.ma.masked:
        return ("the masked element",)
    if type(value) is not np.ma.MaskedArray and value.dtype.names is not None:
        return None
    return (
        "masked",
        np.asarray(value.data),
        np.ma.getmaskarray(value),
        value.fill_value,
        bool(value.hardmask),
        getattr(value, "_optinfo", None) or None,
        _extras(value),
    )


def _pandas(value):
    parts = _parts_of_pandas(value)
    if parts is None:
        return None
    # Those of tables and of most indices are among their parts.
    extras = () if parts[0] in ("frame", "series", "index") else _extras(value)
    more = [part for part in (extras, _of_users(value, "pandas", _OF_PANDAS)) if part]
    return (*parts, *more)


def _parts_of_pandas(value):
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        manager = value._mgr
        columns = [_array(manager.iget(n)) if hasattr(manager, "iget") else _array(value.iloc[:, n].array) for n in range(value.shape[1])]
        metadata = [(name, getattr(value, name, None)) for name in value._metadata]
        return "frame", value.index, value.columns, columns, value.attrs, value.flags.allows_duplicate_labels, metadata, _extras(value)
    if isinstance(value, pd.Series):
        metadata = [(name, getattr(value, name, None)) for name in value._metadata]
        return "series", value.index, _array(value.array), value.name, value.attrs, value.flags.allows_duplicate_labels, metadata, _extras(value)
    if isinstance(value, pd.RangeIndex):
        return "range", value.start, value.stop, value.step, value.name
    if isinstance(value, pd.MultiIndex):
        return "multi", list(value.levels), [np.asarray(codes) for codes in value.codes], list(value.names)
    if isinstance(value, pd.Index):
        freq = getattr(value, "freq", None)
        return "index", _array(value.array), value.name, freq, _extras(value)
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return _extension(value)
    if isinstance(value, pd.api.extensions.ExtensionDtype):
        return _dtype(value)
    return None


def _array(array):
    """A column: an ndarray, or an extension array that counts by its parts."""
    import pandas as pd

    while isinstance(array, pd.Series) or type(array).__name__ == "SingleBlockManager" or hasattr(array, "array") and not isinstance(array, np.ndarray):
        array = array.array
    if type(array).__name__ in ("NumpyExtensionArray", "PandasArray"):
        return np.asarray(array._ndarray)
    return array


def _dtype(dtype):
    names = dtype._metadata
    return "dtype", [(name, getattr(dtype, name, None)) for name in names]


def _extension(array):
    import pandas as pd

    if isinstance(array, pd.Categorical):
        return "categorical", np.asarray(array.codes), array.categories, bool(array.ordered)
    if hasattr(array, "_data") and hasattr(array, "_mask") and isinstance(array._mask, np.ndarray):
        data = array._data
        if array._mask.any():
            data = data.copy()
            data[array._mask] = np.zeros((), data.dtype)[()]
        return "masked", data, array._mask
    if isinstance(array, pd.arrays.IntervalArray):
        return "interval", array.left, array.right, array.closed
    if isinstance(getattr(array, "_ndarray", None), np.ndarray):
        freq = getattr(array, "_freq", None)
        return "ndarray", array._ndarray, array.dtype, freq
    return None


#: What SciPy keeps in a sparse matrix of its own, beside its arrays.
_OF_SPARSE = ("_shape", "_has_", "_dict", "_max_N")


def _scipy(value):
    import scipy.sparse as sparse

    if any(base.__name__ in ("rv_generic", "multi_rv_generic") for base in type(value).__mro__):
        return _distribution(value)
    if not sparse.issparse(value):
        return None
    shape, kind = tuple(int(n) for n in value.shape), value.format
    extras = _extras(value, {"data", "indices", "indptr", "offsets", "row", "col", "coords", "rows", "maxprint", "format", "dtype"})
    if private := _private(value):
        extras = extras, private
    if kind in ("csr", "csc", "bsr"):
        return kind, shape, value.data, value.indices, value.indptr, extras
    if kind == "coo":
        return kind, shape, value.data, list(getattr(value, "coords", (value.row, value.col))), extras
    if kind == "dia":
        return kind, shape, value.data, value.offsets, extras
    if kind == "lil":
        return kind, shape, value.rows, value.data, value.dtype, extras
    if kind == "dok":
        return kind, shape, list(dict(value.items()).items()), value.dtype, extras
    return None


def _private(value):
    """The attributes with an underscore that a user's subclass of a sparse matrix has beside SciPy's own, slots too."""
    classes = [cls for cls in type(value).__mro__ if cls.__module__.split(".", 1)[0] != "scipy" and cls is not object]
    if not any("__dict__" in vars(cls) or "__slots__" in vars(cls) for cls in classes):
        return []
    slots = {name: getattr(value, name) for name in copyreg._slotnames(type(value)) if hasattr(value, name)}
    own = {name: item for name, item in vars(value).items() if name.startswith("_") and not name.startswith(_OF_SPARSE)}
    return sorted({**slots, **own}.items())


def _distribution(value):
    """A distribution: by all but NumPy's global random state, which no process has as another has it."""
    state = value.__getstate__()
    if not isinstance(state, dict):
        return None
    if state.get("_random_state") is np.random.mtrand._rand:
        state = {**state, "_random_state": None}
    return "distribution", sorted((name, item) for name, item in state.items() if name != "__doc__")


def _xarray(value):
    parts = _parts_of_xarray(value)
    more = [part for part in (_extras(value), _of_users(value, "xarray", frozenset())) if part]
    return parts and (*parts, *more)


def _parts_of_xarray(value):
    import xarray as xr

    if isinstance(value, xr.Variable):
        return "variable", list(value.dims), _held(value._data), value.attrs
    if isinstance(value, xr.DataArray):
        held = "array", value.variable, {name: coord.variable for name, coord in value.coords.items()}, value.name
        return (*held, _indices(value)) if value.xindexes else held
    if isinstance(value, xr.Dataset):
        variables = {name: variable for name, variable in value.variables.items()}
        held = "dataset", variables, sorted(map(str, value.coords)), value.attrs
        return (*held, _indices(value)) if value.xindexes else held
    return None


def _held(data):
    """The values of a variable that are in memory: in a coordinate they lie in an index of pandas."""
    kind = type(data).__name__
    if kind in ("PandasIndexingAdapter", "PandasMultiIndexingAdapter"):
        return "index", data.array, data.dtype, getattr(data, "level", None)
    if kind == "PandasExtensionArray":
        return data.array
    if kind == "MemoryCachedArray":
        data = data.array
        kind = type(data).__name__
    if kind == "NumpyIndexingAdapter":
        return data.array
    if hasattr(data, "dask") or type(data).__module__.startswith("xarray."):
        raise _unkeyable("it is lazy: load it first (`.load()`)")
    return np.asarray(data)


def _indices(value):
    """What finds labels in an array or a dataset: whoever drops an index keeps its coordinate."""
    return {name: (type(index), getattr(index, "dim", None)) for name, index in value.xindexes.items()}


def _nibabel(value):
    """An image: by its data, affine and header; what it keeps of its data once it was asked for isn't part of it."""
    if not hasattr(value, "dataobj") or not hasattr(value, "affine") or not hasattr(value, "header"):
        return None
    data = np.asanyarray(value.dataobj)
    kept = getattr(value, "_fdata_cache", None)
    if kept is not None and np.array_equal(kept, data.astype(kept.dtype), equal_nan=True):
        kept = None
    header = value.header
    block = bytes(header.binaryblock) if hasattr(header, "binaryblock") else None
    extensions = [(item.get_code(), bytes(item.content)) for item in getattr(header, "extensions", ()) if isinstance(item.content, bytes)]
    return "image", type(header), block, extensions, value.affine, np.asarray(data), kept, value.extra


def _unkeyable(text):
    from ._core import Unkeyable

    return Unkeyable(text)
