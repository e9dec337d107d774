"""Cached functions in one process: nothing that changes while it runs leads to a stale hit."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import ndcache
import numpy as np
import pytest
from ndcache import Memory
from patch_cases import LIB, PATCHES
from support import run

RUN = """
import sys, warnings
warnings.simplefilter("ignore")
from ndcache import Memory
memory = Memory(sys.argv[1], verbose=0)
{lib}
{program}
CALLS = []
if not hasattr(f, "check_call_in_cache"):
    f = memory.cache(f)
X = globals().get("A", 2)
first, expected = f(X), f.func(X)
assert first == expected, (first, expected)
assert f(X) == expected and f.check_call_in_cache(X), "it doesn't hit"
{change}
after = f.func(X)
assert after != expected, "the change changes nothing"
assert f(X) == after, f"stale: {{f(X)!r}}, expected {{after!r}}"
assert f(X) == after
"""


@pytest.mark.parametrize("name", PATCHES)
def test_a_change_while_it_runs_is_seen(name, tmp_path):
    program, change = PATCHES[name]
    text = RUN.format(lib=LIB, program=program, change=change)
    (tmp_path / "prog.py").write_text(text)
    done = subprocess.run([sys.executable, "prog.py", "cache"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


CALLS: list[object] = []


def counted(x, n=3, *, k=1):
    """Doc."""
    CALLS.append(x)
    return x * n * k


def test_joblibs_methods_and_ours(memory):
    f = memory.cache(counted)
    CALLS.clear()
    assert not f.check_call_in_cache(2)
    for args, kwargs in [((), {}), ((1, 2, 3), {}), ((1,), {"m": 1})]:
        with pytest.raises(TypeError, match="counted"):
            f.check_call_in_cache(*args, **kwargs)
    assert f(2) == f(x=2) == f(2, 3) == f(2, n=3, k=1) == 6
    assert f.check_call_in_cache(2) and CALLS == [2]
    assert f.call_and_shelve(2).get() == 6
    value, metadata = f.call(2)
    assert value == 6 and set(metadata) == {"duration", "time", "input_args"} and CALLS == [2, 2]
    assert f.refresh(2) == 6 and CALLS == [2, 2, 2]
    assert f.path(2).endswith(".record") and f.path(9) is None
    assert f.remove(2) and not f.remove(2) and not f.check_call_in_cache(2)
    f(2)
    f.clear()
    assert not f.check_call_in_cache(2)
    assert f.__name__ == "counted" and f.__doc__ == "Doc." and f.__wrapped__ is counted
    assert inspect.signature(f) == inspect.signature(counted)


def test_a_miss_says_why(memory):
    def make(factor):
        def g(x, n=1):
            return x * factor * n

        return memory.cache(g, name="g")

    f = make(2)
    f(1)
    assert f.why == "new function"
    f(1)
    assert f.why == ""
    f(3)
    assert f.why == "argument `x`: 1 → 3"
    assert f.explain(3).is_hit and not f.explain(4).is_hit
    changes = f.explain(3, n=2).changes
    assert changes == [{"kind": "argument", "name": "n", "old": "1", "new": "2"}]
    g = make(5)
    g(1)
    assert "captured `factor` changed" in g.why


def test_after_a_hit_there_is_no_reason_whatever_came_before(memory):
    @memory.cache
    def double(x):
        if x == 9:
            raise ValueError("nine")
        return x * 2

    for _ in range(3):
        double(1)
    for other in (lambda: double(9), lambda: double(iter([])), lambda: double(2)):
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other()
        assert double.why != ""
        assert double(1) == 2 and double.why == ""
    reader = ndcache.Memory(memory.location, verbose=0, mode="read-only").cache(double.func)
    reader(1), reader(1), reader(3)
    assert reader.why != ""
    assert reader(1) == 2 and reader.why == ""
    double(4)
    double.call_and_shelve(1)
    assert double.why == ""


def test_an_edited_helper_is_named(tmp_path):
    text = "def helper(x): return x\n@memory.cache\ndef f(x): return helper(x)\n"
    scope = {"memory": Memory(tmp_path, verbose=0), "__name__": "edited"}
    exec(text, scope)
    scope["f"](1)
    exec(text.replace("return x\n", "return x + 1\n", 1), scope)
    assert scope["f"](1) == 2
    assert scope["f"].why.endswith("code of `helper` changed")


def test_the_code_is_told(memory):
    lock = threading.Lock()
    table = {"a": 1}

    def helper(x):
        return table["a"] + x

    def f(x):
        with lock:
            return helper(x)

    told = str(memory.cache(f).code())
    assert "helper" in told and "captured table" in told and "each call" in told


class Scaler:
    calls: list[object] = []

    def __init__(self, k):
        self.k = k

    def scaled(self, x):
        return self.k * x


def test_descriptors_in_either_order(memory):
    class C:
        def __init__(self, k):
            self.k = k

        @memory.cache
        def method(self, x):
            return self.k * x

        @memory.cache
        @staticmethod
        def over_static(x):
            return x + 1

        @staticmethod
        @memory.cache
        def under_static(x):
            return x + 2

        @memory.cache
        @classmethod
        def over_class(cls, x):
            return cls.__name__, x

        @classmethod
        @memory.cache
        def under_class(cls, x):
            return cls.__name__, x, 1

        @memory.cache
        @property
        def over_property(self):
            return self.k

        @property
        @memory.cache
        def under_property(self):
            return self.k + 1

    class D(C):
        pass

    for _ in range(2):
        assert [C(2).method(3), C(3).method(3), C.method(C(4), 3)] == [6, 9, 12]
        assert [C.over_static(1), C(1).under_static(1)] == [2, 3]
        assert [C.over_class(1), D.over_class(1), C.under_class(1), D(1).under_class(1)] == [("C", 1), ("D", 1), ("C", 1, 1), ("D", 1, 1)]
        assert [C(1).over_property, C(2).over_property, C(1).under_property] == [1, 2, 2]
    assert memory.stats()["hits"] >= 12
    assert C(2).method.check_call_in_cache(3) and C(2).method.explain(3).is_hit
    assert not C(5).method.check_call_in_cache(3)


def test_a_subclass_with_another_method_is_another_argument(memory):
    class A:
        def factor(self):
            return 1

        @memory.cache
        def f(self, x):
            return self.factor() * x

    class B(A):
        def factor(self):
            return 2

    assert [A().f(3), B().f(3), A().f(3)] == [3, 6, 3]


def test_an_argument_that_changes_isnt_stored_but_in_the_result(memory):
    @memory.cache
    def grow(items):
        items.append(1)
        return len(items)

    with pytest.warns(ndcache.CacheWarning, match="argument `items`"):
        assert grow([0]) == 2
    assert not grow.check_call_in_cache([0])

    class Fit:
        def fit(self, x):
            self.mean = x
            return self

    @memory.cache
    def fitted(model, x):
        model.fit(x)
        return x, model

    assert fitted(Fit(), 3)[1].mean == 3
    assert fitted.check_call_in_cache(Fit(), 3)
    assert fitted(Fit(), 3)[1].mean == 3


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"ignore": "x"}, ValueError),
        ({"ignore": ["y"]}, ValueError),
        ({"code": "source"}, ValueError),
        ({"code": "version"}, ValueError),
        ({"colour": 1}, TypeError),
        ({"mmap_mode": "x"}, ValueError),
        ({"cache_validation_callback": 3}, ValueError),
    ],
)
def test_a_wrong_option_is_told_when_the_function_is_decorated(memory, options, error):
    with pytest.raises(error):
        memory.cache(**options)(lambda x: x)


def test_ignored_and_keyed_arguments(memory):
    calls = []

    @memory.cache(ignore=["verbose", "**"], key={"name": str.lower})
    def f(name, verbose=False, **more):
        calls.append(name)
        return name.lower()

    assert [f("A"), f("a", verbose=True), f("a", other=1)] == ["a", "a", "a"] and calls == ["A"]


def test_two_threads_compute_once(memory):
    calls, results = [], []

    @memory.cache
    def f(x):
        calls.append(x)
        time.sleep(0.1)
        return x

    threads = [threading.Thread(target=lambda: results.append(f(1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1] * 4 and calls == [1]


def test_copies_are_the_function_itself_and_pickles_go_by_name(memory):
    f = memory.cache(counted)
    assert copy.copy(f) is f and copy.deepcopy(f) is f
    again = pickle.loads(pickle.dumps(f))
    f(8)
    assert again.check_call_in_cache(8)
    reference = pickle.loads(pickle.dumps(f.call_and_shelve(8)))
    assert reference.get() == 24
    bound = memory.cache(Scaler(3).scaled)
    assert bound(2) == 6 and memory.cache(Scaler(4).scaled)(2) == 8


def test_a_partial_and_a_callable_have_paths_of_what_they_call(memory):
    f = memory.cache(functools.partial(counted, n=5))
    g = memory.cache(functools.partial(counted, n=6))
    assert [f(2), g(2), f(2)] == [10, 12, 10]
    assert f.function_path == f"{__name__}.counted"


def test_a_library_annotates_and_the_application_decides(tmp_path):
    calls = []

    @ndcache.cache
    def f(x):
        calls.append(x)
        return x + 1

    class C:
        @ndcache.cache(ignore=["y"])
        def m(self, x, y=0):
            calls.append(x)
            return x

    assert [f(1), f(1), C().m(1)] == [2, 2, 1] and len(calls) == 3
    assert not f.check_call_in_cache(1) and f.explain(1).reason == "bypassed"
    ndcache.set_memory(tmp_path)
    try:
        assert [f(1), f(1), C().m(1), C().m(1, y=2)] == [2, 2, 1, 1] and len(calls) == 5
        assert f.check_call_in_cache(1) and f.why == ""
    finally:
        ndcache.set_memory(None)
    assert f(1) == 2 and len(calls) == 6


def test_the_environment_names_the_memory(tmp_path):
    program = textwrap.dedent("""
        import ndcache
        calls = []
        @ndcache.cache
        def f(x):
            calls.append(x)
            return x
        f(1), f(1)
        print(len(calls))
    """)
    (tmp_path / "prog.py").write_text(program)

    def run(**environment):

        done = subprocess.run([sys.executable, "prog.py"], cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return int(next(line for line in done.stdout.splitlines() if not line.startswith("[Memory]")))

    assert run() == 2
    assert run(NDCACHE_DIR="cache") == 1
    assert run(NDCACHE_DIR="cache") == 0
    assert run(NDCACHE_DIR="cache", NDCACHE_MODE="off") == 2


def test_the_fixture(ndcache_tmp):
    @ndcache.cache
    def f(x):
        return x

    f(1)
    assert f.check_call_in_cache(1)
    assert len(ndcache_tmp.entries()) == 1


def test_a_stored_result_is_read_by_its_path(tmp_path):
    memory = Memory(tmp_path, mmap_mode="r", verbose=0)

    @memory.cache
    def f(x):
        return {"a": np.full(2000, float(x)), "b": [x]}

    f(3)
    found = ndcache.read(f.path(3))
    assert found["b"] == [3] and found["a"][5] == 3.0
    (entry,) = memory.entries()
    assert any(ndcache.read(file)[0] == 3.0 for file in entry.files if str(file).endswith(".npy"))
    with pytest.raises(FileNotFoundError):
        ndcache.read(tmp_path / "nothing.record")


def test_other_backends_are_refused_with_a_word_on_tiers():
    class StoreBackendBase:
        pass

    class Mine(StoreBackendBase):
        pass

    for name, backend, error in ((3, Mine, ValueError), ("mine", object, ValueError), ("mine", Mine, NotImplementedError)):
        with pytest.raises(error, match="by tiers"):
            ndcache.register_store_backend(name, backend)
    with pytest.raises(TypeError, match="by tiers"):
        Memory("x", backend="mine")


def test_the_last_misses_are_told_in_a_notebook(memory):
    @memory.cache
    def cube(n):
        return n**3

    for n in range(8):
        cube(n)
    cube(7)
    assert [words for _, words, _ in memory.last_misses()] == ["n=7", "n=6", "n=5", "n=4", "n=3"]
    html = memory._repr_html_()
    assert "last misses" in html and "cube(n=7)" in html and "n=2" not in html and "→ 7" in html
    quiet = Memory(memory.location, verbose=0, texts=False)
    quiet.cache(cube.func)(99)
    assert "99" not in quiet._repr_html_() and "cube(…)" in quiet._repr_html_()


def test_how_it_looks_in_a_notebook(memory):
    f = memory.cache(counted)
    f("<b>")
    f(2)
    f(2)
    html = memory._repr_html_()
    assert "counted" in html and "<table>" in html and "<b>" not in html.replace("<b>ndcache</b>", "")
    assert "argument" in f.explain(3)._repr_html_()


def test_a_callback_that_refuses_a_result_is_asked_once_and_it_is_computed_anew(tmp_path):
    memory, asked = Memory(tmp_path, verbose=0), []

    def only_later(metadata):
        asked.append(metadata["input_args"])
        return len(asked) > 1

    @memory.cache(cache_validation_callback=only_later)
    def now(x):
        return time.perf_counter_ns()

    first = now(1)
    assert now(1) != first and len(asked) == 1, "refused, and computed anew"
    again = now(1)
    assert len(asked) == 2 and again == now(1), "taken from then on"
