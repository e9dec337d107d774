"""What code depends on within one process, found or named by ``depends``, and what is told of it."""

from __future__ import annotations

import warnings

import ndcache
import numpy as np
import pytest
from ndcache import Memory
from support import run


def test_what_isnt_counted_is_warned_of_once_with_the_cure(tmp_path):
    program = """
class Odd:
    def __init__(self): self.file = open("/dev/null")
ODD = Odd()
@memory.cache
def f(x): return x if ODD else 0
@memory.cache(ignore_globals=["ODD"])
def g(x): return x if ODD else 0
"""
    scope = {"memory": Memory(tmp_path, verbose=0), "__name__": "odd"}
    exec(program, scope)
    with pytest.warns(ndcache.CacheWarning, match=r'depends=\["ODD"\]') as told:
        assert scope["f"](1) == 1
    assert len(told) == 1 and "ignore_globals" in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [scope["f"](1), scope["f"](2), scope["g"](1)] == [1, 2, 1]


def test_depends_and_modes_of_code(tmp_path):
    program = """
import numpy as np
TABLE = list(range(5000))
def helper(x): return x + TABLE[0]
@memory.cache(depends=["TABLE"])
def f(x): return helper(x)
@memory.cache(code="body")
def g(x): return helper(x)
@memory.cache(code="version", version=1)
def h(x): return helper(x)
"""
    scope = {"memory": Memory(tmp_path, verbose=0), "__name__": "modes"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(program, scope)
        assert [scope[name](1) for name in "fgh"] == [1, 1, 1]
        scope["TABLE"][0] = 5
        assert [scope[name](1) for name in "fgh"] == [6, 1, 1]
        scope["helper"].__code__ = (lambda x: x + 100).__code__
        assert [scope[name](1) for name in "fgh"] == [101, 1, 1]
        scope["g"].func.__code__ = (lambda x: x + 7).__code__
        scope["h"].func.__code__ = (lambda x: x + 7).__code__
        assert [scope[name](1) for name in "gh"] == [8, 1]


def test_arrays_of_closures_count(memory):
    def make(table):
        @memory.cache
        def f(i):
            return float(table[i])

        return f

    assert [make(np.arange(3.0))(1), make(np.arange(3.0) * 2)(1), make(np.arange(3.0))(1)] == [1.0, 2.0, 1.0]


def test_methods_that_a_method_finds_through_an_ignored_self_count(tmp_path):
    memory = Memory(tmp_path, verbose=0)

    class Base:
        def __init__(self, n=0):
            self.n = n

        def helper(self, x):
            return x + 1

        @memory.cache(ignore=["self"])
        def run(self, x):
            return self.helper(x)

    class Other(Base):
        def helper(self, x):
            return 50

    assert (Base().run(1), Other().run(1)) == (2, 50)
    assert Base(7).run(1) == 2 and Base.run.why == "", "what it holds is ignored"
    Base.helper = lambda self, x: x + 2
    assert (Base().run(1), Other().run(1)) == (3, 50)


def test_a_changed_global_is_told_with_the_cure(tmp_path):
    run(COUNTS, cwd=tmp_path)


COUNTS = """
import warnings
from ndcache import Memory
memory = Memory("cache", verbose=0)
class Seen:
    def __init__(self): self.known = {}
    def __call__(self, x):
        self.known[x] = x * 2
        return self.known[x]
seen = Seen()
@memory.cache
def f(x): return seen(x)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert f(3) == 6
assert any('ignore_globals=["seen"]' in str(one.message) for one in caught), [str(one.message) for one in caught]
"""


def test_what_depends_names_counts_whoever_changes_it(tmp_path):
    memory = Memory(tmp_path, verbose=0)
    table = {"k": 1}

    class Reg:
        table = {"a": 1}
        k = 1

        @classmethod
        def add(cls, name, value):
            cls.table[name] = value

        @classmethod
        def set(cls, k):
            cls.k = k

    def look(name):
        return table.setdefault(name, 0)

    functions = [
        memory.cache(lambda x: look("k") * x, name="a", depends=[table]),
        memory.cache(lambda x: Reg.table["a"] * x or Reg.add("b", 1), name="b", depends=["Reg.table"]),
        memory.cache(lambda x: Reg.k * x or Reg.set(0), name="c", depends=["Reg"]),
        memory.cache(lambda x: Reg.k * x or Reg.set(0), name="d", depends=[Reg]),
    ]
    assert [f(2) for f in functions] == [2, 2, 2, 2]
    assert [f(2) for f in functions] == [2, 2, 2, 2] and not any(f.why for f in functions)
    table["k"] = 5
    Reg.add("a", 5)
    Reg.set(5)
    assert [f(2) for f in functions] == [10, 10, 10, 10]


def test_what_depends_names_is_not_warned_of_and_has_a_digest(tmp_path):
    import contextvars

    memory, spline, variable = Memory(tmp_path, verbose=0), np.poly1d([1, 2]), contextvars.ContextVar("variable")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert memory.cache(lambda x: spline(x), name="a", depends=["spline"])(1) == 3
        assert memory.cache(lambda x: spline(x), name="b", depends=[spline])(1) == 3
    with pytest.warns(ndcache.CacheWarning, match="`depends` names `variable`, of type ContextVar, whose value has no digest"):
        assert memory.cache(lambda x: variable.get(x), name="c", depends=["variable"])(1) == 1
