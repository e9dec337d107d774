"""Objects of installed libraries that code reads: which of them count by value, and what is told of the others."""

from __future__ import annotations

import textwrap
import warnings

import ndcache
import pytest
from ndcache import Memory


def told(program: str, tmp_path) -> list[str]:
    """Returns what is warned of when a program's ``f`` is called twice."""
    scope = {"memory": Memory(tmp_path, verbose=0), "__name__": "program"}
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        exec(textwrap.dedent(program), scope)
        assert scope["f"](1) == scope["f"](1)
    return [str(item.message) for item in found if item.category is ndcache.CacheWarning]


def test_only_the_part_that_isnt_counted_is_warned_of(tmp_path):
    program = """
    import threading, numpy as np
    PARTS = {"k": 1, "rng": np.random.default_rng(), "lock": threading.Lock(), "in": [{"file": open("/dev/null")}]}
    PARTS["me"] = PARTS
    @memory.cache
    def f(x): return x * PARTS["k"]
    """
    texts = told(program, tmp_path)
    assert [text.split("`")[3] for text in texts] == ["PARTS['rng']", "PARTS['in'][0]['file']"]
    assert all('depends=["PARTS"]' in text for text in texts)


def test_what_isnt_counted_of_a_class_is_warned_of_if_it_is_read(tmp_path):
    program = """
    import threading, numpy as np
    class Model:
        rng, other, lock = np.random.default_rng(), np.random.default_rng(), threading.Lock()
        __odd__ = np.random.default_rng()
        def draw(self): return 0 * self.rng.normal()
    @memory.cache
    def f(x): return Model().draw() + x
    """
    assert [text.split("`")[3] for text in told(program, tmp_path)] == ["Model.rng"]


def test_what_isnt_counted_of_an_arguments_class_is_warned_of(tmp_path):
    program = """
    import numpy as np
    class Model:
        rng = np.random.default_rng()
    @memory.cache
    def g(m): return 0 * m.rng.normal()
    def f(x): return g(Model())
    """
    assert [text.split("`")[3] for text in told(program, tmp_path)] == ["Model.rng"]


def test_no_code_of_the_users_runs_to_see_whether_an_object_counts(tmp_path):
    program = """
    from sklearn.preprocessing import FunctionTransformer
    RUN = []
    class Odd:
        def __reduce__(self): RUN.append(1); return Odd, ()
    class Kept:
        def __getstate__(self): RUN.append(1); return {}
    ONE = FunctionTransformer(kw_args={"odd": Odd()})
    TWO = {"a": FunctionTransformer(kw_args={"kept": [Kept()]})}
    @memory.cache
    def f(x): return x if ONE and TWO else 0
    f.run = RUN
    """
    scope = {"memory": Memory(tmp_path, verbose=0), "__name__": "program"}
    with pytest.warns(ndcache.CacheWarning, match="ONE"):
        exec(textwrap.dedent(program), scope)
        assert scope["f"](1) == 1
    assert scope["RUN"] == []


def test_what_a_descriptor_knows_of_objects_by_identity_is_never_mixed_up(tmp_path):
    program = """
    import weakref
    class Kept:
        def __init__(self): self.values = weakref.WeakKeyDictionary()
        def __get__(self, owner, cls): return self.values[owner]
        def __set__(self, owner, value): self.values[owner] = value
    class Model:
        k = Kept()
        def __init__(self, k): self.k = k
    ONE, TWO = Model(1), Model(2)
    @memory.cache
    def g(m): return m.k
    """
    scope = {"memory": Memory(tmp_path, verbose=0), "__name__": "program"}
    exec(textwrap.dedent(program), scope)
    with pytest.warns(ndcache.CacheWarning, match="without the cache"):
        assert [scope["g"](scope[name]) for name in ("ONE", "TWO")] == [1, 2]


def test_a_call_that_fits_a_global_estimator_is_stored(tmp_path):
    program = """
    import numpy as np
    from sklearn.preprocessing import StandardScaler
    SCALER = StandardScaler()
    @memory.cache
    def f(x): return SCALER.fit_transform(np.eye(3)).sum() + x
    """
    scope = {"memory": Memory(tmp_path, verbose=0), "__name__": "program"}
    exec(textwrap.dedent(program), scope)
    assert scope["f"](1) == scope["f"](1) and scope["f"].check_call_in_cache(1)


@pytest.mark.parametrize("value", ["Ridge().fit(np.zeros((9, 9000)), np.zeros(9))", "deep", "[np.random.default_rng()] * 3", "np.vectorize"])
def test_what_is_large_deep_or_odd_ends_no_call(value, tmp_path):
    program = f"""
    import numpy as np
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import FunctionTransformer
    deep = None
    for _ in range(100_000): deep = [deep, np.random.default_rng] if _ % 2 else {{"a": deep, "b": np.random.mtrand._rand}}
    ONE = {value}
    TWO = FunctionTransformer(kw_args={{"a": ONE}})
    THREE = {{"a": TWO, "b": ONE}}
    @memory.cache
    def f(x): return x if ONE is not None and TWO and THREE else 0
    """
    told(program, tmp_path)
