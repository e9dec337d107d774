"""Where code comes from: the user's own, or installed with a distribution; and the path that names a function."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import site
import sys
import sysconfig
import types
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

_MAIN = frozenset({"__main__", "__mp_main__"})
_SITE = re.compile(r"[\\/](site|dist)-packages([\\/]|$)")
_CELL = re.compile(r"^<|[\\/]ipykernel_\d+[\\/]")
#: The file of all code that cloudpickle has brought.
_BROUGHT = "<dynamic-code>"
#: Distributions whose release doesn't change what a result means: a new one keeps the results of the old one.
STABLE = frozenset({"numpy", "pandas", "scipy"})
_COMPILERS = ("_cython", "cython", "pybind11", "nanobind", "swig")
#: What counts by this package's own name is no part of the user's code.
_OWN = __name__.partition(".")[0]


def _real(folder: str) -> str:
    return os.path.join(os.path.realpath(folder), "")


def _roots(*names: str) -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({_real(paths[name]) for name in names} | {os.path.join(paths[name], "") for name in names})


_STDLIB = _roots("stdlib", "platstdlib")
_PACKAGES = _roots("purelib", "platlib") + tuple(_real(folder) for folder in [site.getusersitepackages()])
_PACKAGE = _real(os.path.dirname(os.path.dirname(__file__)))


@functools.lru_cache(maxsize=None)
def kind_of_file(file: str) -> str:
    """Returns whether a file is "user", "installed" or "stdlib" code. An editable install is the user's."""
    if file.startswith("<frozen "):
        return "stdlib"
    if file.startswith("<"):
        return "user"
    real = os.path.realpath(file)
    if real.startswith(_PACKAGE):
        return "installed"
    for name in {file, real}:
        if name.startswith(_PACKAGES) or _SITE.search(name):
            return "installed"
    return "stdlib" if file.startswith(_STDLIB) or real.startswith(_STDLIB) else "user"


def kind_of_function(function: FunctionType) -> str:
    """Returns whether a function is "user", "installed" or "stdlib" code."""
    return kind_of_file(_file_of(function) or "<unknown>")


def _file_of(function: FunctionType) -> str | None:
    """Returns the file of a function: cloudpickle, which brings functions to workers, leaves it to the module alone."""
    file = function.__code__.co_filename
    return file if file != _BROUGHT else getattr(function, "__globals__", {}).get("__file__")


def kind_of_module(module: ModuleType) -> str:
    """Returns whether a module is "user", "installed" or "stdlib" code."""
    name = module.__name__.partition(".")[0]
    if name in _MAIN:
        return "user"
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return kind_of_file(file)
    if name in sys.stdlib_module_names:
        return "stdlib"
    for folder in getattr(module, "__path__", ()):
        return kind_of_file(os.path.join(folder, ""))
    return "user"


def kind_of_name(module: str) -> str:
    """Returns the kind of a module that may not be loaded, without loading it; "absent" if there is none."""
    loaded = sys.modules.get(module)
    if isinstance(loaded, ModuleType):
        return kind_of_module(loaded)
    top = module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        spec = None
    # A file of the user's may have the name of a module of Python: `profile.py`, `code.py`.
    if top in sys.stdlib_module_names and (spec is None or not spec.has_location or spec.origin == "frozen"):
        return "stdlib"
    if spec is None:
        return "absent"
    folders = [os.path.join(folder, "") for folder in spec.submodule_search_locations or ()]
    return kind_of_file(spec.origin if spec.has_location and spec.origin else (folders or ["<unknown>"])[0])


def kind_of_object(value: Any) -> str:
    """Returns the kind of the module that a function or class without Python code says it is from."""
    module = getattr(value, "__module__", None)
    if not isinstance(module, str) or module == "builtins":
        return "stdlib"
    return "user" if module in _MAIN else kind_of_name(module)


def kind_of_class(cls: type) -> str:
    """Returns whether a class is "user", "installed" or "stdlib" code."""
    module = cls.__module__ if isinstance(cls.__module__, str) else "builtins"
    if module in _MAIN:
        return "user"
    if module == "builtins":
        return "stdlib"
    if module == "types" and getattr(types, cls.__name__, None) is not cls:
        return "user"  # made at run time, as `dataclasses.make_dataclass` does
    if module.startswith(_COMPILERS):
        return "installed"  # types that compilers of extensions make, of modules without a file
    kind = kind_of_name(module)
    return "user" if kind == "absent" else kind


@functools.lru_cache(maxsize=None)
def distribution(module: str) -> str | None:
    """Returns the distribution of an installed module with its version, as "scikit-learn 1.5.2".

    ``None`` for what doesn't count: NumPy, pandas, SciPy, the standard library, ndcache itself, and modules that no
    distribution owns. The local part of a version says who built it, and is dropped.
    """
    top = module.partition(".")[0]
    if top in STABLE or top == _OWN or top in sys.stdlib_module_names:
        return None
    owners = _owners(top)
    path = tuple(module.split("."))
    # Distributions that share a namespace, such as `google`, have releases of their own.
    for length in range(len(path), 1, -1):
        if named := [owner for owner in owners if path[:length] in owner.modules]:
            owners = tuple(named)
            break
    counted = [owner for owner in owners if owner.name not in STABLE]
    if not counted:
        return None
    # Which of several wrote the module last isn't known: `opencv-python` and `opencv-python-headless` are both `cv2`.
    names, versions = zip(*((owner.name, owner.version.partition("+")[0]) for owner in counted))
    return f"{'+'.join(names)} {'+'.join(versions)}"


@functools.lru_cache(maxsize=None)
def release_of(module: str) -> tuple[str | None, str]:
    """Returns the part that an installed module stands for, and its content: "version of scikit-learn", "1.5.2".

    An extension module of the user's own counts by the bytes of its file.
    """
    if kind_of_name(module) != "user":
        name, _, version = (distribution(module) or "").rpartition(" ")
        return (f"version of {name}", version) if name else (None, "")
    file = getattr(sys.modules.get(module), "__file__", None)
    if isinstance(file, str) and file.endswith((".so", ".pyd")):
        import hashlib

        with open(file, "rb") as stream:
            return f"extension {module}", hashlib.file_digest(stream, "blake2b").hexdigest()
    return None, ""


class _Owner(NamedTuple):
    """An installed distribution, and those of its modules that were asked for, as paths of names."""

    name: str
    version: str
    modules: frozenset[tuple[str, ...]]


@functools.lru_cache(maxsize=None)
def _owners(top: str) -> tuple[_Owner, ...]:
    """Returns the distributions that contain a module without a dot in its name.

    The one of the same name is asked first, and only accepted if it contains the module: on PyPI, `sklearn` and `bs4`
    are empty. One that contains the module as a regular package shares it with no other, and the others aren't read.
    """
    import importlib.metadata

    try:
        same = importlib.metadata.distribution(top)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        same = None
    modules = _modules_in(same, top) if same is not None else frozenset()
    if (top,) in modules:
        return _owner(same, frozenset())
    found: dict[str, _Owner] = {}
    for each in importlib.metadata.distributions():
        if modules := _modules_in(each, top):
            for owner in _owner(each, modules):
                found.setdefault(owner.name, owner)  # of two releases, the first in `sys.path` is imported
    if not found and same is not None:
        return _owner(same, frozenset())  # it has no list of its files, as on Debian
    return tuple(found[name] for name in sorted(found))


def _owner(found: Any, modules: frozenset[tuple[str, ...]]) -> tuple[_Owner, ...]:
    """Returns a distribution, or none if it says neither name nor version: pip leaves such folders if it is killed."""
    metadata = found.metadata
    name, version = (metadata["Name"], metadata["Version"]) if metadata else (None, None)
    return (_Owner(name.lower(), version, modules),) if name and version else ()


def _modules_in(found: Any, top: str) -> frozenset[tuple[str, ...]]:
    """Returns the modules of a distribution inside one without a dot in its name, itself among them.

    The list of files is searched as a text: this takes a third of the time of `packages_distributions` of Python.
    """
    modules = set()
    files = found.read_text("RECORD") or found.read_text("installed-files.txt") or ""
    for line in re.findall(rf'^"?(?:\.\./)?({re.escape(top)}[/.][^,\n"]*)', files, re.MULTILINE):
        *folders, file = line.split("/")
        stem, *endings = file.split(".")
        path = (*folders, stem) if stem != "__init__" else tuple(folders)
        if path[0] == top and endings and endings[-1] in ("py", "pyc", "so", "pyd"):
            modules.add(path)
    if not modules and top in (found.read_text("top_level.txt") or "").split():
        modules.add((top, "*"))
    return frozenset(modules)


def lasting_name(module: str) -> str:
    """Returns the name of a module; that of a script's is ``__main__`` in workers, too, which run it as another."""
    return "__main__" if module == "__mp_main__" else module


def path_of(function: Any) -> str:
    """Returns the path that names a function in the cache, as ``module.qualname``.

    A script's module is called by the script's stem, and a notebook's ``__main__``: it has to be the same in workers,
    where ``__main__`` is another module.
    """
    target = _named(function)
    module = getattr(target, "__module__", None) or "builtins"
    name = getattr(target, "__qualname__", None) or getattr(target, "__name__", None) or type(target).__qualname__
    if module in _MAIN:
        module = _main_name(target)
    return f"{module}.{name}"


def _named(function: Any) -> Any:
    """Returns what names a callable: the function of a partial or of a method, the ``__call__`` of an instance."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__func__"):
            function = function.__func__
        elif isinstance(function, type) or hasattr(function, "__qualname__") or hasattr(function, "__name__"):
            return function
        else:
            return getattr(type(function), "__call__")


def _main_name(target: Any) -> str:
    file = _file_of(target) if isinstance(target, FunctionType) else getattr(sys.modules.get("__main__"), "__file__", None)
    if not file or _CELL.search(file):
        return "__main__"
    return os.path.splitext(os.path.basename(file))[0]
