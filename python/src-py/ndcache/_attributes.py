"""Attributes that programs read of joblib's objects: those that ndcache has by the same name, and what to use for the rest."""

from __future__ import annotations

from typing import Any, NoReturn

#: What joblib's objects have and ndcache's haven't, with what to use in its place.
_CODE = "keys hold the code itself: `f.code()` prints it"
_EVENTS = "events go to `logging.getLogger(\"ndcache\")`"
_INSTEAD = {
    "cachedir": "`location` is the folder",
    "bytes_limit": "`Memory(…, limits=…)` keeps a limit, and `reduce_size` reduces once",
    "register_store_backend": "`Memory(…, remote=…)` shares results between machines",
    "func_code_info": _CODE,
    "_func_code_id": _CODE,
    "_func_code_info": _CODE,
    "_write_func_code": _CODE,
    "_hash_func": _CODE,
    "debug": _EVENTS,
    "info": _EVENTS,
    "warn": _EVENTS,
    "format": _EVENTS,
    "_load_item": "`call_and_shelve(…).get()` or `ndcache.read(path)` loads a result",
    "_cached_call": "call the function, or `call_and_shelve`",
    "_call": "`refresh` computes again, and `call` returns the metadata, too",
    "_persist_input": "`entry` and `path` tell what is stored of a call",
    "_print_duration": _EVENTS,
    "get_cached_func_code": _CODE,
    "get_cached_func_info": _CODE,
    "store_cached_func_code": _CODE,
    "dump_item": "a cached function stores what it returns",
    "store_metadata": "a record is written with its result, and never changed",
    "clear_path": "`f.clear()` removes the results of a function",
    "clear_location": "`Memory.clear()` removes all results",
    "clear": "`Memory.clear()` removes all results",
    "create_location": "a folder is made when the memory is opened",
    "configure": "a memory takes its settings when it is made",
    "enforce_store_limits": "`Memory.reduce_size`, or `Memory(…, limits=…)`, which keeps them",
}


def missing(owner: Any, what: str, name: str) -> NoReturn:
    """Raises the error of an attribute that `owner`, in words `what`, hasn't: with what to use if joblib's object has it."""
    instead = _INSTEAD.get(name)
    text = f"{what} has no attribute `{name}`" + (f", which joblib's has: {instead}" if instead else "")
    raise AttributeError(text, name=name, obj=owner)


#: What joblib's programs assign on a memory or a store, where it has no effect on those that are made already.
_SETTINGS = frozenset(
    "backend backend_options cachedir compress location mmap_mode store_backend verbose _verbose limits expires min_duration mode "
    "pickle shared texts wait recheck durability readable remote share remote_wait salt statistics".split()
)


def refuse_to_set(owner: Any, what: str, name: str) -> None:
    """Raises the error of a setting that is assigned: all that share a folder and its settings share one memory."""
    if name in _SETTINGS:
        setting = {"cachedir": "location", "store_backend": "location", "_verbose": "verbose"}.get(name, name)
        raise AttributeError(
            f"`{name}` of {what} can't be changed: make another memory, `Memory(…, {setting}=…)`, and cache functions in that",
            name=name, obj=owner,
        )  # fmt: skip
