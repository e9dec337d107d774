"""A memory: its settings, what it says of itself, and the folder that it shares with Rust."""

from __future__ import annotations

import datetime
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
from support import PACKAGE, run

import ndcache
from ndcache import Memory


def square(n):
    return n * n


def rows(n):
    return np.arange(n, dtype="f8")


def test_a_memory_without_a_folder_caches_nothing():
    memory = Memory(None)
    runs = []
    cached = memory.cache(lambda n: runs.append(n) or n)
    assert cached(1) == cached(1) == 1 and runs == [1, 1]
    assert memory.clear() == 0 and memory.reduce_size(items_limit=1) == (0, 0)
    assert memory.location is None and not memory.enabled


def test_a_location_is_that_very_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for location in ("a", tmp_path / "b", str(tmp_path / "c")):
        memory = Memory(location, verbose=0)
        memory.cache(square)(2)
        assert os.path.isdir(os.path.join(memory.location, "f"))
        assert os.path.isabs(memory.location) and os.path.dirname(memory.location) == str(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Memory("~/d", verbose=0).location == str(tmp_path / "d")


def test_memories_of_one_folder_share_what_they_know(tmp_path):
    one, other = Memory(tmp_path / "c", verbose=0), Memory(tmp_path / "c", verbose=0, mmap_mode="r")
    one.cache(rows)(5)
    other.cache(rows)(5)
    assert one.stats() == other.stats() and one.stats()["hits"] == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mmap_mode": "x"}, "mmap_mode"), ({"compress": 11}, "compress"), ({"compress": "lz4"}, "compress"), ({"mode": "x"}, "mode"),
        ({"durability": "x"}, "durability"), ({"limits": "10 apples"}, "apples"), ({"limits": {"x": 1}}, "limits"),
        ({"recheck": 2}, "recheck"), ({"wait": -1}, "wait"), ({"nonsense": 1}, "nonsense"), ({"backend": "s3"}, "backend"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_by_name(tmp_path, options, told):
    with pytest.raises((ValueError, TypeError), match=told):
        Memory(tmp_path / "c", **options)


def test_every_setting_is_taken(tmp_path):
    memory = Memory(
        tmp_path / "c", compress=("gzip", 1), verbose=0, limits={"bytes": "1G", "items": 100, "age": datetime.timedelta(days=1)},
        expires=datetime.timedelta(hours=1), min_duration=0.0, mode="read-write", pickle="own", shared=False, texts=True,
        wait=60, recheck=0.0, durability="synced", readable=True,
    )  # fmt: skip
    assert (memory.cache(rows)(5000) == memory.cache(rows)(5000)).all()
    assert str(memory.entries()[0].files[0]).endswith(".npy.gz")


def test_modes_do_what_they_say(tmp_path):
    Memory(tmp_path / "c", verbose=0).cache(square)(2)
    read_only = Memory(tmp_path / "c", verbose=0, mode="read-only")
    assert read_only.cache(square)(2) == 4 and read_only.cache(square)(3) == 9
    assert read_only.stats()["hits"] == 1 and len(read_only.entries()) == 1
    off = Memory(tmp_path / "c", verbose=0, mode="off")
    assert off.cache(square)(2) == 4 and not off.enabled
    refresh = Memory(tmp_path / "c", verbose=0, mode="refresh")
    assert refresh.cache(square)(2) == refresh.cache(square)(2) == 4
    assert (refresh.stats()["misses"], refresh.stats()["hits"]) == (1, 1)


def test_a_memory_that_only_reads_a_folder_says_so_before_there_is_one(tmp_path):
    folder = tmp_path / "c"
    with pytest.warns(ndcache.CacheWarning, match="doesn't exist, and isn't made for reading"):
        early = Memory(folder, verbose=0, mode="read-only")
    assert (early.mode, early.location, early.enabled) == ("read-only", str(folder), False)
    assert early.cache(square)(2) == 4 and early.entries() == [] and not folder.exists()
    Memory(folder, verbose=0).cache(square)(2)
    late = Memory(folder, verbose=0, mode="read-only")
    assert late.enabled and late.cache(square)(2) == 4 and late.stats()["hits"] == 1


def test_a_memory_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("NDCACHE_DIR", str(tmp_path / "e"))
    assert Memory.from_env("x").location == str(tmp_path / "e")
    monkeypatch.setenv("NDCACHE_MODE", "read-only")
    assert Memory.from_env("x").mode == "read-only"
    monkeypatch.setenv("NDCACHE_MODE", "x")
    with pytest.raises(ValueError, match="NDCACHE_MODE"):
        Memory.from_env("x")


def test_entries_are_told_removed_and_made_room_for(tmp_path):
    memory = Memory(tmp_path / "c", verbose=0)
    cached, other = memory.cache(rows), memory.cache(square)
    for n in range(5):
        cached(1000 + n)
        other(n)
    assert len(memory.entries()) == 10
    (entry,) = [entry for entry in memory.entries() if ("n", "1003") in entry.arguments]
    assert entry.function.endswith("rows") and entry.bytes > 8000 and len(entry.files) == 1 and entry.created > time.time() - 100
    assert cached.remove(1003) and not cached.remove(1003)
    cached.clear()
    assert len(memory.entries()) == 5
    items, size = memory.reduce_size(items_limit=2)
    assert items == 3 and size > 0
    assert memory.reduce_size(age_limit=datetime.timedelta(days=1)) == (0, 0)
    with pytest.raises(ValueError, match="positive"):
        memory.reduce_size(age_limit=datetime.timedelta(days=-1))
    assert memory.clear() == 2 and memory.entries() == []


def test_counts_tell_hits_and_misses_and_why(tmp_path):
    memory = Memory(tmp_path / "c", verbose=0)
    cached = memory.cache(square)
    for n in (1, 1, 1, 2):
        cached(n)
    stats = memory.stats()
    assert (stats["hits"], stats["misses"]) == (2, 2)
    (counts,) = stats["by_function"].values()
    assert counts["hits"] == 2 and stats["by_reason"]["argument"] == stats["by_reason"]["new function"] == 1
    assert cached.why.startswith("argument `n`: 1 → 2")
    cached(2)
    assert cached.why == ""


def test_an_explanation_says_what_differs(tmp_path):
    memory = Memory(tmp_path / "c", verbose=0)
    cached = memory.cache(square)
    assert str(cached.explain(1)) == "new function"
    cached(1)
    assert cached.explain(1).is_hit
    assert str(cached.explain(2)) == "argument `n`: 1 → 2"


def test_texts_are_kept_only_where_they_may_be(tmp_path):
    memory = Memory(tmp_path / "c", verbose=0, texts=False)
    memory.cache(square)(123)
    assert memory.entries()[0].arguments == [("n", "")]
    other = Memory(tmp_path / "d", verbose=0)
    other.cache(square, secret=["n"])(123)
    assert "123" not in str(other.entries()[0].arguments)


class Loud:
    def __repr__(self):
        raise AssertionError("a user's `__repr__` was called")


def test_texts_are_made_by_no_method_of_the_users(tmp_path, capsys):
    memory = Memory(tmp_path / "c", verbose=1)
    memory.cache(lambda x, y: 1)(Loud(), [Loud(), "x" * 1000])
    assert "Loud" in capsys.readouterr().out


def test_verbose_says_on_stdout_what_is_computed_and_why(tmp_path, capsys):
    memory = Memory(tmp_path / "c", verbose=1)
    cached = memory.cache(square)
    cached(1), cached(1), cached(2)
    lines = capsys.readouterr().out
    assert lines.count("[Memory] Calling") == 2 and "argument `n`: 1 → 2" in lines and "Loading" not in lines
    loud = Memory(tmp_path / "c", verbose=11).cache(square)
    loud(1)
    assert "Loading" in capsys.readouterr().out
    Memory(tmp_path / "c", verbose=0).cache(square)(7)
    assert capsys.readouterr().out == ""


def test_a_function_that_isnt_pure_is_found_by_recheck(tmp_path):
    memory = Memory(tmp_path / "c", verbose=0, recheck=1.0)
    state = {"n": 0}

    def count(x):
        import random

        return random.random()

    cached = memory.cache(count)
    first = cached(1)
    with pytest.warns(ndcache.CacheWarning, match="isn't pure"):
        assert cached(1) == first
    assert state == {"n": 0}


def test_what_expires_is_computed_anew(tmp_path):
    memory = Memory(tmp_path / "c", verbose=0)
    runs = []

    @memory.cache(expires=0.5)
    def f(n):
        runs.append(n)
        return n

    f(1), f(1)
    assert runs == [1]
    time.sleep(0.6)
    f(1)
    assert runs == [1, 1]


def test_a_callback_validates_and_its_errors_pass(tmp_path):
    memory = Memory(tmp_path / "c", verbose=0)
    seen = []

    def check(metadata):
        seen.append(metadata)
        if metadata["input_args"]["n"] == "3":
            raise RuntimeError("on purpose")
        return metadata["input_args"]["n"] != "2"

    cached = memory.cache(square, cache_validation_callback=check)
    for n in (1, 2, 3):
        cached(n)
    cached(1), cached(2)
    assert memory.stats()["hits"] == 1 and memory.stats()["misses"] == 4
    assert seen[0]["duration"] >= 0 and abs(seen[0]["time"] - time.time()) < 100
    with pytest.raises(RuntimeError, match="on purpose"):
        cached(3)


def test_cheap_results_arent_stored_if_they_arent_to_be(tmp_path):
    memory = Memory(tmp_path / "c", verbose=0, min_duration=0.2)
    memory.cache(square)(2)

    @memory.cache
    def slow(n):
        time.sleep(0.25)
        return n

    slow(1)
    assert [entry.function.rsplit(".", 1)[-1] for entry in memory.entries()] == ["slow"]


def test_a_text_that_names_a_file_is_told_once(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("1")
    memory = Memory(tmp_path / "c", verbose=0)
    read = memory.cache(lambda path, n: open(path).read())
    with pytest.warns(ndcache.CacheWarning, match="names a file"):
        read(str(file), 1)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(str(file), 2)


def test_a_file_that_counts_is_opened_by_its_path(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    for kind in (ndcache.FileContent, ndcache.FileStamp):
        file = kind(tmp_path / "a.txt")
        assert os.fspath(file) == str(tmp_path / "a.txt") and pathlib.Path(file).read_text() == "a"


def test_the_content_of_a_file_counts_where_it_is_asked_for(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("1")
    memory = Memory(tmp_path / "c", verbose=0)
    read = memory.cache(lambda path: open(path).read(), key={"path": ndcache.FileContent})
    assert read(str(file)) == read(str(file)) == "1"
    file.write_text("2")
    assert read(str(file)) == "2" == read(file)
    assert memory.stats()["hits"] == 2
    assert ndcache.digest(ndcache.FileContent(file)) != ndcache.digest(ndcache.FileStamp(file))


def tool(*arguments):
    command = [sys.executable, "-m", "ndcache", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": PACKAGE})
    return done.returncode, done.stdout, done.stderr


def test_rust_lists_verifies_and_removes_what_python_has_stored(tmp_path):
    folder = tmp_path / "c"
    memory = Memory(folder, verbose=0)
    memory.cache(rows)(5000)
    memory.cache(lambda n: {1, 2}, name="sets.make")(1)
    code, out, err = tool("-C", folder, "ls")
    assert code == 0 and "rows" in out and "sets" in out, out + err
    code, out, err = tool("-C", folder, "verify")
    assert code == 0, out + err
    key = memory.cache(rows).key((5000,))
    code, out, err = tool("-C", folder, "show", key)
    assert code == 0 and "f64[5000]" in out, out + err
    code, out, err = tool("-C", folder, "rm", key, "--yes")
    assert code == 0, out + err
    assert len(memory.entries()) == 1


def test_the_tool_says_its_version_and_wrong_usage():
    assert tool("--version")[0] == 0
    assert tool("no-such-command")[0] == 2


def test_a_file_of_a_result_is_plain_npy(tmp_path):
    memory = Memory(tmp_path / "c", verbose=0, readable=True)
    value = memory.cache(rows)(5000)
    (file,) = memory.entries()[0].files
    assert (np.load(file, mmap_mode="r") == value).all()
    assert "rows(n=5000)" in os.path.basename(file)


def test_what_was_saved_is_told_at_exit(tmp_path):
    program = """
    import sys, time
    from ndcache import Memory
    memory = Memory(sys.argv[1], verbose=1)
    @memory.cache
    def slow(n):
        time.sleep(0.3)
        return n
    slow(1)
    """
    run(program, tmp_path / "c")
    last = run(program, tmp_path / "c").strip().splitlines()[-1]
    assert "saved" in last and "1 of 1" in last, last


def failing(n):
    raise AssertionError("it was computed")


def fetches(memory, name, n):
    """Returns the result of a call of `rows`, which has to come from a tier."""
    value = memory.cache(failing, name=name, code="version", version=1)(n)
    assert (memory.stats()["hits"], memory.stats()["misses"]) == (1, 0)
    return value


def slow(n):
    time.sleep(0.2)
    return np.arange(n, dtype="f8")


def test_results_go_by_a_shared_folder_to_other_machines(tmp_path):
    team = tmp_path / "team"
    one = Memory(tmp_path / "one", verbose=0, remote=f"rw:{team}")
    one.cache(slow, name="lab.rows", code="version", version=1)(5000)
    told = one.flush(timeout=60)
    assert (told["uploaded"] + told["left"], told["failed"], told["troubles"]) in ((0, 0, []), (1, 0, [])), told
    (counts,) = one.stats()["by_tier"].values()
    assert (counts["asked"], counts["absent"], counts["uploads"], counts["errors"]) == (1, 1, 1, {})
    two = Memory(tmp_path / "two", verbose=0, remote=[team])
    assert (fetches(two, "lab.rows", 5000) == np.arange(5000.0)).all()
    (counts,) = two.stats()["by_tier"].values()
    assert counts["hits"] == 1 and 40_000 <= counts["fetched_bytes"] < 41_000 and counts["uploads"] == 0
    # Results of another share are in another place.
    other = Memory(tmp_path / "three", verbose=0, remote=[team], share="any")
    with pytest.raises(AssertionError, match="computed"):
        fetches(other, "lab.rows", 5000)
    with pytest.raises(ValueError, match="expected a folder"):
        Memory(tmp_path / "four", remote="s3://bucket")
    with pytest.raises(ValueError, match="`s3://bucket/folder`"):
        Memory(tmp_path / "four", remote="rw:s3:/bucket")
    with pytest.raises(TypeError, match="`share`"):
        Memory(tmp_path / "four", remote=str(team), share=True)
    with pytest.raises(ValueError, match="share is named"):
        Memory(tmp_path / "four", remote=str(team), share="a/b")


STORES = """
import os, sys, time
from ndcache import Memory
memory = Memory.from_env(sys.argv[1], verbose=0)
@memory.cache(name="lab.rows", code="version", version=1)
def rows(n):
    time.sleep(0.2)
    return list(range(n))
rows(3)
"""


def test_the_environment_names_tiers(tmp_path, monkeypatch):
    team = tmp_path / "team"
    # When a program has ended, all that it stored has been sent.
    run(STORES, tmp_path / "one", NDCACHE_REMOTE=f"rw:{team}", NDCACHE_REMOTE_SHARE="any", NDCACHE_REMOTE_WAIT="60")
    assert list(team.rglob("*.record*")) or [path for path in team.rglob("*") if path.is_file()], "nothing was sent"
    for name, value in (("NDCACHE_REMOTE", str(team)), ("NDCACHE_REMOTE_SHARE", "any"), ("NDCACHE_REMOTE_WAIT", "2.5")):
        monkeypatch.setenv(name, value)
    two = Memory.from_env(tmp_path / "two", verbose=0)
    assert (two.options["share"], two.options["remote_wait"]) == ("any", 2.5)
    assert fetches(two, "lab.rows", 3) == [0, 1, 2]
    given = Memory.from_env(tmp_path / "three", verbose=0, remote=str(tmp_path / "other"))
    assert given.options["remote"] == str(tmp_path / "other") and given.options.get("share") is None
    monkeypatch.setenv("NDCACHE_REMOTE_WAIT", "soon")
    with pytest.raises(ValueError, match="`NDCACHE_REMOTE_WAIT` is `soon`"):
        Memory.from_env(tmp_path / "four")


def test_an_array_of_a_cache_is_read_by_its_file(tmp_path):
    for compress in (False, True):
        memory = Memory(tmp_path / str(compress), verbose=0, compress=compress)
        value = memory.cache(rows)(5000)
        (file,) = memory.entries()[0].files
        assert (ndcache.read(file) == value).all()
    with pytest.raises(ValueError, match="compressed"):
        ndcache.read(file, mmap_mode="r")
