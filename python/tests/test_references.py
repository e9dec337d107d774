"""References to stored results as arguments, and results that are read by their files alone."""

from __future__ import annotations

import os
import pathlib
import pickle
import shutil
import time

import ndcache
import numpy as np
import pytest
from ndcache import Memory, digest
from support import answer
from test_expiry import has_end


class Feed:
    """A function whose results change although its arguments don't."""

    def __init__(self, memory, value=0.0, **options):
        self.value = value
        self.price = memory.cache(lambda x: np.full(3, x + self.value), name="price", ignore_globals=["self"], **options)


@pytest.fixture
def use(memory):
    """Adds what a reference leads to; `use.calls` says how often."""
    calls = []

    @memory.cache(ignore_globals=["calls"], name="use")
    def use(reference):
        calls.append(1)
        return float(reference.get().sum())

    use.calls = calls
    return use


def test_a_reference_counts_by_what_is_stored_behind_it(memory, use):
    feed = Feed(memory)
    reference = feed.price.call_and_shelve(1)
    assert [use(reference), use(reference), use(pickle.loads(pickle.dumps(reference)))] == [3.0] * 3
    assert len(use.calls) == 1
    feed.value = 1.0
    feed.price.refresh(1)
    assert use(reference) == use(feed.price.call_and_shelve(1)) == 6.0
    feed.value = 0.0
    feed.price.refresh(1)
    assert use(reference) == 3.0 and len(use.calls) == 2


def test_an_expired_result_behind_a_reference_is_no_hit_for_what_was_made_of_it(memory, use):
    feed = Feed(memory, expires=0.2)
    assert use(feed.price.call_and_shelve(1)) == 3.0
    assert has_end(use, feed.price.call_and_shelve(1))
    feed.value = 1.0
    time.sleep(0.25)
    assert use(feed.price.call_and_shelve(1)) == 6.0


def test_what_is_made_of_a_reference_expires_with_its_result(memory, use):
    feed = Feed(memory, expires=3600)
    inner = feed.price.call_and_shelve(1)
    plain = Feed(memory).price.call_and_shelve(2)
    inside = memory.cache(lambda x: float(inner.get().sum()), name="inside", ignore_globals=["inner"])
    outer = memory.cache(lambda r: use(r), name="outer", ignore_globals=["use"])
    assert inside(1) == use(inner) == outer(inner) == 3.0 and use(plain) == 6.0
    assert has_end(inside, 1) and has_end(use, inner) and has_end(outer, inner) and not has_end(use, plain)
    again = pickle.loads(pickle.dumps(inner))
    received = memory.cache(lambda x: float(again.get().sum()), name="received", ignore_globals=["again"])
    received(1)
    assert has_end(received, 1)


def test_a_memory_whose_results_expire_says_so_of_what_references_lead_to(tmp_path):
    quotes = Memory(tmp_path / "quotes", verbose=0, expires=3600)
    reference = Feed(quotes).price.call_and_shelve(1)
    memory = Memory(tmp_path / "cache", verbose=0)
    inside = memory.cache(lambda x: float(reference.get().sum()), name="inside", ignore_globals=["reference"])
    inside(1)
    assert has_end(inside, 1)


def test_results_that_python_tells_apart_are_other_arguments_behind_references(memory):
    kinds = [[1, 2], (1, 2), np.array([1, 2]), {"a": 1}, [1.0, 2.0], np.float64(1), np.array(1.0), None]
    given = memory.cache(lambda n: kinds[n], name="given", ignore_globals=["kinds"])
    references = [given.call_and_shelve(n) for n in range(len(kinds))]
    assert len({digest(reference) for reference in references}) == len(kinds)
    kind = memory.cache(lambda r: type(r.get()).__name__, name="kind")
    assert [kind(reference) for reference in references] == [type(value).__name__ for value in kinds]


def test_a_reference_counts_by_what_was_there_once_nothing_is(memory, use):
    reference = Feed(memory).price.call_and_shelve(1)
    assert use(reference) == 3.0
    reference.clear()
    assert use(reference) == 3.0 and len(use.calls) == 1
    use.clear()
    with pytest.raises(KeyError, match="isn't stored any more"):
        use(reference)


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_nothing_is_stored_of_a_damaged_result_behind_a_reference(tmp_path, mmap_mode):
    memory = Memory(tmp_path / "cache", verbose=0, mmap_mode=mmap_mode)
    large = memory.cache(lambda n: np.arange(float(n)), name="large")
    reference = large.call_and_shelve(100_000)
    first = memory.cache(lambda r: 7, name="first")
    (file,) = large.entry((100_000,)).files
    data = bytearray(pathlib.Path(file).read_bytes())
    data[-1] ^= 1
    os.chmod(file, 0o644)
    pathlib.Path(file).write_bytes(data)
    os.chmod(file, 0o444)
    with pytest.warns(ndcache.CacheWarning, match="refers to a result that can't be told"):
        assert first(reference) == 7
    assert not first.check_call_in_cache(reference)


def test_a_result_that_is_replaced_while_it_is_used_stores_nothing(memory):
    feed = Feed(memory)
    reference = feed.price.call_and_shelve(1)

    @memory.cache(name="slow", ignore_globals=["feed"])
    def slow(r):
        feed.value = 5.0
        feed.price.refresh(1)
        return float(r.get().sum())

    with pytest.warns(ndcache.CacheWarning, match="was replaced by another result"):
        assert slow(reference) == 18.0
    assert not slow.check_call_in_cache(reference)


def test_a_pickled_reference_says_nothing_of_a_secret(memory):
    f = memory.cache(secret=["token"], name="f")(lambda token: np.arange(3))
    reference = f.call_and_shelve("s3cr3t")
    assert reference.get().tolist() == [0, 1, 2]
    plain = bytes.fromhex(digest("s3cr3t"))
    assert plain not in pickle.dumps(reference) and b"s3cr3t" not in pickle.dumps(reference)


WRITTEN = """
import json, sys, numpy as np, ndcache
from ndcache import Memory
memory = Memory(sys.argv[1], verbose=0, salt="s")
f = memory.cache(secret=["token"], name="f")(lambda token, x: [np.full(100_000, x), (x, "text")])
f("s3cr3t", 1.0)
print(json.dumps(f.path("s3cr3t", 1.0)))
"""


def test_a_result_is_read_by_its_record_whatever_its_key_is_made_of(tmp_path):
    path = answer(WRITTEN, tmp_path / "c")
    for mode in (None, "r"):
        array, rest = ndcache.read(path, mmap_mode=mode)
        assert np.array_equal(array, np.full(100_000, 1.0)) and rest == (1.0, "text")
        assert isinstance(array, np.memmap) == (mode == "r")
    expired = Memory(tmp_path / "e", verbose=0).cache(expires=0.001)(lambda x: x)
    expired(3)
    time.sleep(0.01)
    assert ndcache.read(expired.path(3)) == 3
    none = Memory(tmp_path / "n", verbose=0).cache(lambda x: None)
    none(3)
    assert ndcache.read(none.path(3)) is None


def test_what_is_no_record_of_an_entry_is_not_read(tmp_path):
    path = pathlib.Path(answer(WRITTEN, tmp_path / "c"))
    elsewhere = path.parent.parent.parent / "other-0123456789abcdef" / path.parent.name
    elsewhere.mkdir(parents=True)
    shutil.copy(path, elsewhere / path.name)
    for wrong in (elsewhere / path.name, path.with_name("x.record"), path.with_suffix(".txt"), tmp_path):
        with pytest.raises((FileNotFoundError, ValueError, RuntimeError)):
            ndcache.read(wrong)
    path.write_bytes(b"nonsense")
    with pytest.raises((FileNotFoundError, ValueError, RuntimeError)):
        ndcache.read(path)
