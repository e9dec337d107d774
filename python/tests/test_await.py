"""Coroutines that are cached: awaits of one key compute once, and leave their event loop free."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import subprocess
import threading
import time

import pytest
import support


def test_after_an_awaited_hit_there_is_no_reason(memory):
    @memory.cache
    async def double(x):
        return x * 2

    async def calls():
        await double(1)
        await double(2)
        assert double.why != ""
        assert await double(1) == 2 and double.why == ""

    asyncio.run(calls())


async def _five(f):
    return await asyncio.gather(*(f(3) for _ in range(5)))


def test_five_awaits_compute_once(memory):
    calls = []

    @memory.cache
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.05)
        return x * 2

    assert asyncio.run(_five(f)) == [6] * 5
    assert asyncio.run(_five(f)) == [6] * 5
    assert calls == [3]
    assert asyncio.run(f.call_and_shelve(3)).get() == 6
    assert asyncio.run(f.call(3))[0] == 6 and calls == [3, 3]

    @memory.cache
    async def fails(x):
        raise KeyError(x)

    for _ in range(2):
        with pytest.raises(KeyError):
            asyncio.run(fails(1))


def test_a_cancelled_await_leaves_the_key_free(memory):
    @memory.cache
    async def f(x):
        await asyncio.sleep(x)
        return x

    async def cancelled():
        task = asyncio.create_task(f(0.2))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.wait_for(f(0.2), 5)

    assert asyncio.run(cancelled()) == 0.2


def test_many_awaits_leave_the_threads_of_the_loop_to_what_they_wait_for(memory):
    @memory.cache
    async def f(x):
        return await asyncio.to_thread(slowly, x)

    def slowly(x):
        time.sleep(0.1)
        return x + 1

    async def many():
        asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(2))
        before = threading.active_count()
        awaits = asyncio.gather(*(f(1) for _ in range(100)))
        most, end = 0, time.monotonic() + 30
        while not awaits.done() and time.monotonic() < end:
            most = max(most, threading.active_count() - before)
            await asyncio.sleep(0.001)
        return await asyncio.wait_for(awaits, 0.1), most

    results, most = asyncio.run(many())
    assert results == [2] * 100 and most <= 4  # two threads of the pool, one that waits and one that ends


def test_a_cancelled_wait_ends_at_once_and_takes_no_turn(memory):
    calls = []

    @memory.cache(ignore=["let"])
    async def f(x, let):
        calls.append(x)
        await let.wait()
        if len(calls) == 1:
            raise KeyError(x)
        return x

    async def cancelled():
        let = asyncio.Event()
        first = asyncio.create_task(f(1, let))
        while not calls:
            await asyncio.sleep(0.01)
        for _ in range(5):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(f(1, let), 0.1)
        assert not first.done() and calls == [1]
        let.set()
        with pytest.raises(KeyError):
            await first
        return await asyncio.wait_for(f(1, let), 30)

    assert asyncio.run(cancelled()) == 1 and calls == [1, 1]


AWAITS = """
import asyncio, faulthandler, signal, sys, ndcache

faulthandler.register(signal.SIGUSR1)
# A shell lets the jobs in its background ignore Ctrl-C, and their children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

@ndcache.Memory(sys.argv[1], verbose=0).cache
async def slow(x):
    print("computing", flush=True)
    await asyncio.sleep(100)

async def main():
    task = asyncio.create_task(slow(1))
    await asyncio.sleep(1)
    print("awaiting", flush=True)
    await task

asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_an_interrupt_ends_an_await_that_waits_for_another_process(tmp_path):
    first = support.start(AWAITS, tmp_path / "cache")
    assert first.stdout.readline() == "computing\n"
    second = support.start(AWAITS, tmp_path / "cache")
    try:
        assert second.stdout.readline() == "awaiting\n"
        # asyncio looks for signals before it sleeps; one that comes just after that is seen only when it wakes.
        time.sleep(0.5)
        second.send_signal(signal.SIGINT)
        try:
            _, err = second.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            second.send_signal(signal.SIGUSR1)
            time.sleep(1)
            second.kill()
            pytest.fail(f"it doesn't end: {second.communicate()[1]}")
        assert err.strip().endswith("KeyboardInterrupt") and "panicked" not in err and second.returncode == -signal.SIGINT
        assert first.poll() is None
    finally:
        first.kill(), second.kill()
        first.communicate()


def test_awaits_of_what_raises_go_on_at_once(memory):
    """After an error all that waited compute at the same time; after a cancellation one of them computes."""
    calls, running, most = [], [], []

    async def run(seconds):
        calls.append(0)
        running.append(0)
        most.append(len(running))
        try:
            for _ in range(int(100 * seconds)):
                await asyncio.sleep(0.01)
                if len(calls) > 1 and max(most) > 1:
                    break
        finally:
            running.pop()

    @memory.cache
    async def f(x):
        await run(3 if calls else 0.3)
        raise ValueError(x)

    async def raised():
        return await asyncio.gather(*(f(1) for _ in range(6)), return_exceptions=True)

    assert [type(error) for error in asyncio.run(raised())] == [ValueError] * 6
    assert len(calls) == 6 and max(most) > 1
    calls.clear()
    most.clear()

    @memory.cache
    async def g(x):
        await run(0.3 if calls else 60)
        return x

    async def cancelled():
        first = asyncio.create_task(g(1))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(g(1)) for _ in range(5)]
        await asyncio.sleep(0.3)
        first.cancel()
        return await asyncio.gather(*others)

    assert asyncio.run(cancelled()) == [1] * 5
    assert len(calls) == 2 and max(most) == 1


def test_outside_of_asyncio_a_coroutine_runs_without_the_cache(tmp_path):
    program = """
    import asyncio, json, sys, warnings, ndcache

    memory, calls = ndcache.Memory(sys.argv[1], verbose=0), []

    @memory.cache
    async def f(x):
        calls.append(x)
        return x + 1

    def stepped(x):
        try:
            f(x).send(None)
        except StopIteration as end:
            return end.value

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        results = [stepped(1), stepped(1), stepped(2)]
        asyncio.run(f(1))
        results.append(stepped(1))  # a hit needs no loop
    print(json.dumps([results, calls, [str(w.message) for w in told]]))
    """
    results, calls, told = support.answer(program, tmp_path / "cache")
    assert results == [2, 2, 3, 2] and calls == [1, 1, 2, 1]
    assert len(told) == 1 and "without the cache" in told[0]
