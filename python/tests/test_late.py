"""What is found of a call once its function has returned: arguments that it has changed, and what is warned of then."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import warnings

import ndcache
import numpy as np
import pytest
from ndcache import Memory

# Arguments of fewer bytes are always digested again after the call.
LARGE = 10_000_000


def test_an_argument_of_any_size_that_changes_has_no_result(memory):
    @memory.cache
    def bump(a, seconds):
        a += 1
        time.sleep(seconds)
        return float(a[0])

    with pytest.warns(ndcache.CacheWarning, match="has changed its argument `a`"):
        assert bump(np.zeros(LARGE), 0) == 1.0
    assert not bump.check_call_in_cache(np.zeros(LARGE), 0)
    again = np.zeros(LARGE)
    assert bump(again, 0) == 1.0 and again[-1] == 1.0


def test_an_argument_that_has_no_digest_any_more_has_changed(memory):
    class Box:
        pass

    @memory.cache
    def close(box):
        box.lock = threading.Lock()
        return 1

    with pytest.warns(ndcache.CacheWarning, match="has changed its argument `box`"):
        assert close(Box()) == 1
    assert not close.check_call_in_cache(Box())


def test_where_it_takes_little_beside_the_computation_all_of_a_large_argument_is_looked_at(memory):
    @memory.cache
    def touch(a, seconds):
        a[LARGE // 2 + 1000] = 1.0
        time.sleep(seconds)
        return 7

    array = np.zeros(LARGE)
    begin = time.perf_counter()
    ndcache.digest(array)
    seconds = 20 * (time.perf_counter() - begin) + 0.5
    with pytest.warns(ndcache.CacheWarning, match="has changed its argument `a`"):
        assert touch(array, seconds) == 7
    assert not touch.check_call_in_cache(np.zeros(LARGE), seconds)


@pytest.mark.parametrize("make", [
    lambda: np.zeros((LARGE, 2))[:, 0],
    lambda: np.zeros((2, LARGE // 2)).T,
    lambda: [np.zeros(LARGE // 2), np.zeros(LARGE // 2)],
    lambda: {"a": np.zeros((LARGE, 2))[::2]},
])  # fmt: skip
def test_large_arrays_that_change_are_seen_however_they_lie(memory, make):
    @memory.cache
    def fill(value):
        for array in value if isinstance(value, list) else value.values() if isinstance(value, dict) else [value]:
            array[...] = 1.0
        return 7

    with pytest.warns(ndcache.CacheWarning, match="has changed its argument `value`"):
        assert fill(make()) == 7


def test_a_large_argument_that_stays_as_it_was_has_a_result(memory):
    total = memory.cache(lambda a, b: float(a.sum() + b[0].sum()), name="total")
    args = np.ones(LARGE), [np.ones((LARGE // 10, 20))[:, ::2]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert total(*args) == 2.0 * LARGE
    assert total.check_call_in_cache(*args)


def test_a_large_argument_that_a_coroutine_changes_has_no_result(memory):
    @memory.cache
    async def bump(a):
        a += 1
        return float(a[0])

    with pytest.warns(ndcache.CacheWarning, match="has changed its argument `a`"):
        assert asyncio.run(bump(np.zeros(LARGE))) == 1.0
    assert not bump.check_call_in_cache(np.zeros(LARGE))


class Unpickled:
    def __reduce__(self):
        raise TypeError("it isn't to be pickled")


def no_room(memory):
    """From here on nothing can be stored in the memory."""
    folder = os.path.join(memory.location, "f")
    os.makedirs(memory.location, exist_ok=True)
    with open(folder, "w"):
        pass


def grown(items):
    items.append(1)
    return 7


@pytest.mark.parametrize("seen, function, argument, prepare, expected", [
    ("the result can't be stored", lambda x: Unpickled(), 1, None, Unpickled),
    ("has changed its argument", grown, [1], None, int),
    ("the result isn't stored", lambda x: 7, 1, no_room, int),
], ids=["encode", "mutates", "store"])  # fmt: skip
@pytest.mark.parametrize("is_async", [False, True])
def test_where_warnings_are_errors_none_costs_a_result(memory, capsys, seen, function, argument, prepare, expected, is_async):
    async def awaited(x):
        return function(x)

    cached = memory.cache(awaited if is_async else function, name="f", ignore_globals=["function"])
    if prepare is not None:
        prepare(memory)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = asyncio.run(cached(argument)) if is_async else cached(argument)
    assert type(result) is expected
    assert f"CacheWarning: " in (err := capsys.readouterr().err) and seen in err


def test_where_warnings_are_errors_a_hit_that_is_computed_again_gives_the_stored_result(tmp_path, capsys):
    state = [1]
    memory = Memory(tmp_path / "cache", verbose=0, recheck=1.0)
    f = memory.cache(lambda x: state[0], name="f", ignore_globals=["state"])
    assert f(1) == 1
    state[0] = 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f(1) == 1
    assert "gives another result than the stored one" in capsys.readouterr().err


def test_a_line_that_cant_be_printed_costs_no_result(tmp_path, monkeypatch):
    class Broken:
        def write(self, text):
            raise RuntimeError("a pipe of its own")

        flush = write

    f = Memory(tmp_path / "cache", verbose=0).cache(lambda x: x + 1, name="f", verbose=1)

    def computed(*args):
        raise RuntimeError("broken")

    monkeypatch.setattr(ndcache._messages, "computed", computed)
    monkeypatch.setattr(sys, "stderr", Broken())
    assert f(1) == 2 and f.check_call_in_cache(1)
