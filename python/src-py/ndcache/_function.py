"""Cached functions: what `Memory.cache` returns. A call goes straight to Rust; the rest is here."""

from __future__ import annotations

import contextvars
import functools
import inspect
import os
import sys
import threading
import types
import weakref
from typing import Any, Callable

from . import _attributes, _core
from ._code import Code
from ._messages import misfit, reworded, warn_once
from ._reference import NotStored, reference
from ._store import metadata_of

_COPIED = ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__", "__type_params__")


class CachedFunction(_core.CoreFunction):
    """A cached function: the first call with some arguments computes, later ones load the result."""

    __class_getitem__ = classmethod(types.GenericAlias)

    def _describe(self, resolver: Any, options: dict[str, Any], path: str, signature: Any) -> None:
        """Takes over what the function says of itself, and keeps the options for pickles."""
        for name in _COPIED:
            try:
                self.__dict__[name] = getattr(self.func, name)
            except AttributeError:
                continue
        self.__dict__.update({k: v for k, v in getattr(self.func, "__dict__", {}).items() if k not in self.__dict__})
        self.__dict__.update(__wrapped__=self.func, _resolver=resolver, _options=options, _path=path, _signature=signature)

    # -- joblib's methods

    def call(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Computes again, stores, and returns (result, metadata)."""
        value = self.compute_anew(args, kwargs)
        return value, self._metadata(args, kwargs)

    def call_and_shelve(self, *args: Any, **kwargs: Any) -> Any:
        """Returns a small reference to the result, which ``get()`` loads."""
        return reference(*self.shelve(args, kwargs))

    def _metadata(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return metadata_of(self.entry(args, kwargs))

    def check_call_in_cache(self, *args: Any, **kwargs: Any) -> bool:
        """Returns whether a call would hit. Removes and writes nothing."""
        return self.contains(args, kwargs) or self._never_fits(args, kwargs)

    def _never_fits(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Raises what a call with these arguments would, if they don't fit the function; else returns false."""
        if self.__dict__["_signature"] is not None:
            try:
                inspect.signature(self.func).bind(*args, **kwargs)
            except TypeError as error:
                raise misfit(error, self.function_path) from None
            except ValueError:
                pass  # It has no signature any more.
        return False

    def clear(self, warn: bool = True) -> None:  # noqa: ARG002 - joblib's parameter
        """Removes all results of this function."""
        self.clear_all()

    def _get_args_id(self, *args: Any, **kwargs: Any) -> str | None:
        """Returns the file of a stored call within the folder of the function, else its key."""
        stored = self.path(*args, **kwargs)
        return self.key(args, kwargs) if stored is None else os.path.join(*stored.split(os.sep)[-2:])

    @property
    def func_id(self) -> str:
        """The function's folder within the memory's, or its path if nothing is stored."""
        for entry in self.memory.entries(self.function_path) if self.memory is not None else ():
            return os.path.relpath(os.path.dirname(os.path.dirname(entry.path)), self.memory.location)
        return self.function_path

    @property
    def ignore(self) -> list[str]:
        """The parameters that aren't part of the key."""
        return list(self.__dict__["_options"].get("ignore") or [])

    @property
    def mmap_mode(self) -> str | None:
        """How arrays of results are loaded."""
        return self.__dict__["_options"].get("mmap_mode", getattr(self.memory, "mmap_mode", None))

    @property
    def verbose(self) -> int:
        """How much is printed."""
        return self.__dict__["_options"].get("verbose", getattr(self.memory, "verbose", 0))

    _verbose = verbose

    @property
    def store_backend(self) -> Any:
        """The folder, as joblib's programs ask for it."""
        return getattr(self.memory, "store_backend", None)

    def __getattr__(self, name: str) -> Any:
        """What joblib's programs read, unless the function has an attribute of that name."""
        if name in ("timestamp", "backend"):
            return getattr(self.memory, name, None)
        if name in ("cache_validation_callback", "compress"):
            return self.__dict__["_options"].get(name, getattr(self.memory, name, None))
        if name == "_get_output_identifiers":
            return self._identifiers
        if name == "_get_argument_hash":
            return lambda *args, **kwargs: self.key(args, kwargs)
        if name == "_check_previous_func_code":
            return lambda stacklevel=2: True  # results of other code have other keys
        if name == "_is_in_cache_and_valid":
            return lambda call_id: self.store_backend is not None and self.store_backend.contains_item(call_id)
        _attributes.missing(self, "a cached function of ndcache", name)

    def _identifiers(self, *args: Any, **kwargs: Any) -> tuple[str, str | None]:
        return self.func_id, self._get_args_id(*args, **kwargs)

    # -- ours

    def explain(self, *args: Any, **kwargs: Any) -> Any:
        """Says whether a call would hit, and if not, how it differs from the most similar stored call."""
        return Explanation(self.explanation(args, kwargs))

    @property
    def why(self) -> str:
        """Why the last call through this object missed; empty if it hit."""
        return reworded(_core.CoreFunction.why.__get__(self))

    def code(self) -> Code:
        """Returns what the keys depend on beside the arguments, and what they can't see; print it."""
        return self.__dict__["_resolver"].describe()

    def remove(self, *args: Any, **kwargs: Any) -> bool:
        """Removes the result of one call; returns whether there was one."""
        return self.remove_call(args, kwargs)

    def refresh(self, *args: Any, **kwargs: Any) -> Any:
        """Computes again, stores, and returns the result."""
        return self.compute_anew(args, kwargs)

    def path(self, *args: Any, **kwargs: Any) -> str | None:
        """Returns the path of the record of a call's stored result, ``None`` if there is none."""
        entry = self.entry(args, kwargs)
        return None if entry is None else os.fspath(entry.path)

    # -- descriptors, copies, pickles

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else BoundFunction(self, instance)

    def __copy__(self) -> CachedFunction:
        return self

    def __deepcopy__(self, memo: Any) -> CachedFunction:
        return self

    def __repr__(self) -> str:
        return f"MemorizedFunc(func={self.func}, location={getattr(self.memory, 'location', None)})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """By reference where the name leads here, else by value; cloudpickle takes ``__main__`` by value, too."""
        name, module = self.__dict__.get("__qualname__", ""), self.__dict__.get("__module__")
        is_main = module in ("__main__", "__mp_main__")
        if _named(module, name) is self and not (is_main and _is_cloudpickle(sys._getframe(1))):
            return name
        state = self.__dict__
        return _rebuild, (self.memory, self.func, state["_options"], state["_path"], state["_signature"])


def _named(module: str | None, name: str) -> Any:
    try:
        return functools.reduce(getattr, name.split("."), sys.modules[module or ""])
    except (KeyError, AttributeError):
        return None


def _is_cloudpickle(frame: Any) -> bool:
    """Returns whether cloudpickle asks, its own module or a vendored one: its pickler's method is the caller in Python."""
    return "cloudpickle" in frame.f_globals.get("__name__", "")


def _rebuild(memory: Any, func: Any, options: dict[str, Any], path: str, signature: Any) -> CachedFunction:
    from ._decorate import made_once

    return made_once(memory, func, options, path, signature)


class Explanation:
    """Says why a call would hit or miss when printed."""

    def __init__(self, core: Any) -> None:
        self.is_hit: bool = core.is_hit
        self.reason: str = core.reason
        self.text: str = reworded(core.text)
        self.changes: list[dict[str, str]] = [
            {"kind": "argument", "name": f"{name}: {path}" if path.startswith("code of ") else f"{name}{path}", "old": old, "new": new}
            for name, path, old, new in core.changes
        ] + [{"kind": "code", "name": name, "old": "", "new": ""} for name in core.code]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Explanation({self.text})"

    def _repr_html_(self) -> str:
        from ._html import explanation_html

        return explanation_html(self)


@types.coroutine
def _followed(inherited: Any, coroutine: Any) -> Any:
    """Runs a coroutine in steps that are inside ``inherited`` each, as are the tasks and threads that they begin.

    Between the steps others run, in the same context, too, if whoever runs them has it so.
    """
    send, value = coroutine.send, None
    while True:
        token = inherited.enter()
        try:
            awaited = send(value)
        except StopIteration as end:
            return end.value
        finally:
            inherited.leave(token)
            value = None  # an error would keep this frame, and the frame it
        send = coroutine.send
        try:
            value = yield awaited
        except BaseException as error:  # GeneratorExit, too: the coroutine ends by it as it does by any
            send, value = coroutine.throw, error


def _running_loop() -> Any:
    """The event loop of the asyncio task that this runs in; ``None`` elsewhere: below trio, say, its guest mode, too."""
    import asyncio  # it takes long, and whoever awaits has it

    try:
        return None if asyncio.current_task() is None else asyncio.get_running_loop()
    except RuntimeError:
        return None


def _outcome(wait: Callable[[], tuple[bool, Any]]) -> tuple[bool, Any, BaseException | None]:
    try:
        return *wait(), None
    except BaseException as error:
        return False, None, error


def _let_go(is_hit: bool, value: Any, error: BaseException | None) -> None:
    """Lets others have the turn that nobody awaits any more."""
    if not is_hit and value is not None:
        value.hand_on("its await was cancelled")


class _Queue:
    """The awaits of one call in one loop: of a thousand one has a thread, in which it waits for what others compute."""

    def __init__(self) -> None:
        import asyncio

        self.turn = asyncio.Lock()
        self.in_vain = 0
        """How often what an await had waited for stored nothing. Those behind it then wait for nobody."""


# By loop, folder and key.
_QUEUES: weakref.WeakValueDictionary[tuple[Any, ...], _Queue] = weakref.WeakValueDictionary()


async def _waited(loop: Any, wait: Callable[[], tuple[bool, Any]]) -> tuple[bool, Any]:
    """Returns what ``wait`` does, which may take as long as what it waits for, in a copy of this context.

    It has a thread of its own: in the loop's, waits could take all the places of what they wait for. A cancelled await
    ends at once and leaves the thread, which the program's end doesn't wait for either.
    """
    handed, context = loop.create_future(), contextvars.copy_context()

    def hand_over(*outcome: Any) -> None:
        if handed.done():
            _let_go(*outcome)
        else:
            handed.set_result(outcome)

    def run() -> None:
        outcome = context.run(_outcome, wait)
        if handed.done():  # cancelled: the others need not wait for the loop
            return _let_go(*outcome)
        try:
            loop.call_soon_threadsafe(hand_over, *outcome)
        except RuntimeError:  # the loop is closed
            _let_go(*outcome)

    try:
        threading.Thread(target=run, name="ndcache-wait", daemon=True).start()
    except RuntimeError:  # the system gives no more threads: computed without the cache
        return False, None
    try:
        is_hit, value, error = await handed
    except BaseException:
        if handed.done() and not handed.cancelled():  # cancelled after it was handed over
            _let_go(*handed.result())
        raise
    if error is not None:
        try:
            raise error
        finally:
            del error  # it holds this frame
    return is_hit, value


class AsyncCachedFunction(CachedFunction):
    """A cached coroutine function: each call is awaited. Concurrent awaits of one call compute once."""

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        is_hit, found = self.peek(args, kwargs)
        return found if is_hit else await self._missed(args, kwargs, found, False)

    async def _missed(self, args: tuple[Any, ...], kwargs: dict[str, Any], key: str | None, anew: bool) -> Any:
        """Waits for what another call computes, or computes; if ``anew``, whatever is stored."""
        if self.memory is None:
            return await self._uncached(args, kwargs)
        loop = _running_loop()
        if loop is None:
            warn_once("asyncio", f"{self.function_path} is awaited outside of asyncio's tasks: it runs without the cache there")
            return await self._uncached(args, kwargs)
        queue = _QUEUES.setdefault((loop, self.memory.location, key), _Queue())
        before = queue.in_vain
        async with queue.turn:
            at_once = queue.in_vain != before
            is_hit, value = await _waited(loop, functools.partial(self.lead, args, kwargs, anew, at_once))
            if not is_hit and value is not None and value.waited_in_vain:
                queue.in_vain += 1
        if is_hit:
            return value
        return await (self._uncached(args, kwargs) if value is None else self._lead(value, args, kwargs))

    async def _uncached(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return await self.func(*args, **kwargs)
        finally:
            self.note_uncached()

    async def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return await self.func(*args, **kwargs)

    async def _lead(self, lead: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Computes as the one whose result the others wait for."""
        try:
            value = await _followed(lead.inherited, self._run(args, kwargs))
        except BaseException as error:
            is_stopped = isinstance(error, MemoryError) or not isinstance(error, Exception)
            (lead.hand_on if is_stopped else lead.discard)(type(error).__name__)
            raise
        return lead.store(value)

    async def call(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:  # type: ignore[override]
        """Computes again, stores, and returns (result, metadata)."""
        return await self.refresh(*args, **kwargs), self._metadata(args, kwargs)

    async def refresh(self, *args: Any, **kwargs: Any) -> Any:
        """Computes again, stores, and returns the result."""
        return await self._missed(args, kwargs, self.key(args, kwargs), True)

    async def call_and_shelve(self, *args: Any, **kwargs: Any) -> Any:
        """Returns a small reference to the result, which ``get()`` loads."""
        if self.contains(args, kwargs):
            return super().call_and_shelve(*args, **kwargs)
        value = await self(*args, **kwargs)
        return super().call_and_shelve(*args, **kwargs) if self.contains(args, kwargs) else NotStored(value)


class LibraryFunction(CachedFunction):
    """A function decorated with `ndcache.cache`: it uses the memory that the application sets, or simply runs."""

    def set_memory(self, memory: Any) -> None:
        """Lets the function go through another memory from now on; ``None`` for none."""
        from ._decorate import make

        state = self.__dict__
        of = make(memory, self.func, state["_options"], state["_path"], state["_signature"])
        # Without a memory the function just runs; but if its results expire, its caller has to know.
        state.update(_of=of, _run=self.func if memory is None and not of.has_lifetime else of)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(*args, **kwargs)

    @property
    def memory(self) -> Any:
        """The memory that the function goes through now."""
        return self._of.memory

    def __reduce_ex__(self, protocol: Any) -> Any:
        name, module = self.__dict__.get("__qualname__", ""), self.__dict__.get("__module__")
        is_main = module in ("__main__", "__mp_main__")
        if _named(module, name) is self and not (is_main and _is_cloudpickle(sys._getframe(1))):
            return name
        return _rebuild, self._of.__reduce_ex__(protocol)[1]


def _delegated(name: str) -> Any:
    def method(self: LibraryFunction, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._of, name)(*args, **kwargs)

    method.__name__, method.__doc__ = name, getattr(CachedFunction, name).__doc__
    return method


for _name in ("call", "call_and_shelve", "check_call_in_cache", "clear", "explain", "remove", "refresh", "path", "code", "key",
              "entry", "contains"):  # fmt: skip
    setattr(LibraryFunction, _name, _delegated(_name))
LibraryFunction.why = property(lambda self: self._of.why, doc=CachedFunction.why.__doc__)  # type: ignore[assignment]


class BoundFunction:
    """A cached function bound to an instance, which is identified by its value and its class."""

    __slots__ = ("__func__", "__self__", "__weakref__")

    def __init__(self, function: CachedFunction, instance: Any) -> None:
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__func__, name)
        if name in _OF_CALLS:
            return functools.partial(value, self.__self__)
        return value

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, BoundFunction) and self.__self__ is other.__self__ and self.__func__ is other.__func__

    def __hash__(self) -> int:
        return hash((id(self.__self__), id(self.__func__)))

    def __repr__(self) -> str:
        return f"<bound {self.__func__!r} of {type(self.__self__).__qualname__}>"

    def __reduce__(self) -> Any:
        return getattr, (self.__self__, self.__func__.__dict__["__name__"])


_OF_CALLS = frozenset(
    "call call_and_shelve check_call_in_cache explain remove refresh path _get_args_id _get_argument_hash "
    "_get_output_identifiers".split()
)
