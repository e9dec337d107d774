"""Results that expire with the cached calls inside them, wherever these are made, and results that are computed anew."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import threading
import time

import ndcache
import pytest
from ndcache import Memory


@pytest.fixture
def price(memory):
    @memory.cache(expires=3600, name="price")
    def price(x):
        return x * 1.5

    return price


@pytest.fixture
def quote(memory):
    @memory.cache(expires=3600, name="quote")
    async def quote(x):
        await asyncio.sleep(0.02)
        return x * 2.5

    return quote


def has_end(function, *args):
    """Whether the stored result of a call expires with a cached call inside it."""
    return b"expires" in pathlib.Path(function.path(*args)).read_bytes()


def test_what_a_function_remembers_by_its_arguments_expires_with_the_calls_inside(memory, price):
    report = memory.cache(lambda x: price(x), name="report", ignore_globals=["price"])
    summary = memory.cache(lambda x: report(x), name="summary", ignore_globals=["report"])
    plain = memory.cache(lambda x: x, name="plain")
    for function in (plain, report):  # each result that is stored makes the functions forget
        for _ in range(4):
            function(1)
    summary(1)
    assert has_end(report, 1) and has_end(summary, 1) and not has_end(plain, 1)


def test_what_a_function_says_itself_is_asked_at_each_hit_and_isnt_stored(memory, price, quote):
    price(1), asyncio.run(quote(1))
    assert not has_end(price, 1) and not has_end(quote, 1)


def test_what_has_expired_with_a_call_inside_is_no_hit_however_often_it_was_one(memory):
    runs = []
    price = memory.cache(lambda x: x, name="price", expires=0.4)
    report = memory.cache(lambda x: runs.append(x) or price(x), name="report", ignore_globals=["price", "runs"])
    for _ in range(4):
        report(1)
    before = len(runs)
    time.sleep(0.45)
    report(1)
    assert len(runs) == before + 1


@pytest.mark.parametrize("made", ["here", "anew", "hit", "awaited", "gathered", "task", "thread", "waited", "raised", "shelved"])
def test_a_coroutine_expires_with_the_cached_calls_inside_it(memory, price, quote, made):
    fails = memory.cache(_failing(price), name="fails", ignore_globals=["price"])

    async def inside(x):
        if made in ("here", "hit"):
            price(x)
        elif made == "anew":
            price.refresh(x)
        elif made in ("awaited", "waited"):
            await quote(x)
        elif made == "gathered":
            await asyncio.gather(quote(x), _later(price, x))
        elif made == "task":
            await asyncio.create_task(_later(price, x))
        elif made == "thread":
            await asyncio.to_thread(price, x)
        elif made == "raised":
            with contextlib.suppress(KeyError):
                await fails(x)
        else:
            price.call_and_shelve(x)
        return x

    report = memory.cache(inside, name="report", code="version", version=1)
    outer = memory.cache(_awaiting(report), name="outer", code="version", version=1)

    async def calls():
        if made in ("hit", "shelved"):
            price(1)
        await asyncio.gather(outer(1), *([quote(1)] if made == "waited" else []))

    asyncio.run(calls())
    assert has_end(report, 1) and has_end(outer, 1)


def _failing(price):
    async def fails(x):
        price(x)
        await asyncio.sleep(0)
        raise KeyError(x)

    return fails


async def _later(function, x):
    await asyncio.sleep(0.01)
    return function(x)


def _awaiting(function):
    async def awaits(x):
        return await function(x)

    return awaits


def test_coroutines_that_take_turns_keep_their_calls_apart(memory, price):
    """They do so even where all of them run in one context."""

    async def take_turns(x):
        for _ in range(3):
            await asyncio.sleep(0.001)
        if x % 2:
            price(x)
        await asyncio.sleep(0.001)
        return x

    report = memory.cache(take_turns, name="report", code="version", version=1)

    async def calls():
        await asyncio.gather(*(report(x) for x in range(6)))

    asyncio.run(calls())
    assert [has_end(report, x) for x in range(6)] == [False, True] * 3

    step = memory.cache(_stepping(price), name="step", code="version", version=1)
    led = [step._lead(step.lead((x,))[1], (x,), {}) for x in range(4)]
    for _ in range(3):
        for coroutine in led:
            with contextlib.suppress(StopIteration):
                coroutine.send(None)
    assert [has_end(step, x) for x in range(4)] == [False, True] * 2


def _stepping(price):
    class Step:
        def __await__(self):
            yield

    async def stepping(x):
        await Step()
        if x % 2:
            price(x)
        await Step()
        return x

    return stepping


def test_a_function_that_runs_coroutines_expires_with_the_calls_in_them(memory, quote):
    def runs(x):
        async def calls():
            return await asyncio.gather(quote(x), quote(x))

        return asyncio.run(calls())

    report = memory.cache(runs, name="report", code="version", version=1)
    report(1)
    report.refresh(2), report.refresh(2)
    assert has_end(report, 1) and has_end(report, 2)


def test_a_function_expires_with_the_calls_in_threads_that_take_its_context(memory, price):
    import contextvars

    def starts(x):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(price, x))
        thread.start()
        thread.join()
        return x

    report = memory.cache(starts, name="report", code="version", version=1)
    report(1)
    assert has_end(report, 1)


def test_a_coroutine_that_expires_is_computed_anew_and_so_is_what_awaits_it(memory):
    runs = []

    async def counted(x):
        runs.append(x)
        return len(runs)

    price = memory.cache(counted, name="price", code="version", version=1, expires=0.3)
    report = memory.cache(_awaiting(price), name="report", code="version", version=1)
    first = asyncio.run(report(1))
    time.sleep(0.35)
    assert asyncio.run(report(1)) > first


@pytest.mark.parametrize("of", ["no memory", "no folder", "no digest", "a library"])
def test_what_is_called_beside_the_cache_expires_as_it_says(memory, of):
    place = {"no memory": None, "no folder": Memory(None)}.get(of, memory)

    def number(x):
        return 1

    async def awaited(x):
        return 1

    report_of = {"a library": ndcache.cache}.get(of) or (lambda f, **more: Memory.cache(place, f, **more) if place else _unplaced(f, more))
    inner, coroutine = (report_of(f, expires=60) for f in (number, awaited))
    argument = threading.Lock() if of == "no digest" else 1

    def calls(x):
        return inner(argument)

    async def awaits(x):
        return await coroutine(argument)

    report = memory.cache(calls, name="report", code="version", version=1)
    later = memory.cache(awaits, name="later", code="version", version=1)
    with pytest.warns(ndcache.CacheWarning) if of == "no digest" else contextlib.nullcontext():
        report(1), asyncio.run(later(1))
    assert has_end(report, 1) and has_end(later, 1)


def _unplaced(function, options):
    from ndcache._decorate import make

    return make(None, function, options)


def test_a_function_in_a_memory_that_is_off_expires_by_what_the_memory_says(memory, tmp_path):
    off = Memory(tmp_path / "off", verbose=0, mode="off", expires=60)
    inner = off.cache(lambda x: x, name="inner")
    report = memory.cache(lambda x: inner(x), name="report", code="version", version=1)
    report(1)
    assert has_end(report, 1)


@pytest.mark.parametrize("ends", ["raises", "is cancelled"])
def test_an_awaited_refresh_keeps_the_old_result_until_there_is_a_new_one(memory, ends):
    state = {"n": 0, "ends": None}

    async def counted(x):
        state["n"] += 1
        await asyncio.sleep(0.05)
        if state["ends"] == "raises":
            raise ValueError(x)
        if state["ends"]:
            await asyncio.sleep(60)
        return state["n"]

    f = memory.cache(counted, name="f", code="version", version=1)

    async def refreshed():
        task = asyncio.create_task(f.refresh(1))
        await asyncio.sleep(0.02)
        meanwhile = await f(1)
        if state["ends"] == "is cancelled":
            task.cancel()
        return meanwhile, await task

    assert asyncio.run(f(1)) == 1
    assert asyncio.run(refreshed()) == (1, 2)
    state["ends"] = ends
    with pytest.raises((ValueError, asyncio.CancelledError)):
        asyncio.run(refreshed())
    state["ends"] = None
    assert f.check_call_in_cache(1) and asyncio.run(f(1)) == 2
    assert asyncio.run(f.call(1))[0] == 4 == asyncio.run(f(1))


def test_a_refresh_of_an_awaited_call_sends_no_removal_to_tiers(tmp_path):
    team = tmp_path / "team"
    memory = Memory(tmp_path / "one", verbose=0, remote=f"rw:{team}")

    async def number(x):
        return x

    f = memory.cache(number, name="f", code="version", version=1)
    asyncio.run(f(1))
    memory.flush(30)
    asyncio.run(f.refresh(1))
    memory.flush(30)
    assert not [path for path in team.rglob("*") if "removed" in str(path)]
