"""Whole programs, each run twice in new processes: the second run computes nothing, and gives what the first gave."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import textwrap

HEAD = """
import json, os, sys, warnings
from ndcache import Memory
memory = Memory(os.environ["CACHE"], verbose=0)
def computed():
    with open(os.environ["LOG"]) as log: return len(log.read())
def count():
    with open(os.environ["LOG"], "a") as log: log.write("x")
"""


def run(folder: pathlib.Path, program: str, files: dict[str, str] | None = None, cache: str = "cache"):
    """Runs a program, and returns what it prints as JSON, and how often it called ``count()``."""
    for name, text in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "prog.py").write_text(HEAD + program)
    log = folder / "log"
    log.write_text("")
    # Python tells compiled files by times in seconds: it would miss an edit within the second.
    env = {**os.environ, "CACHE": str(folder / cache), "LOG": str(log), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "prog.py"], cwd=folder, capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), len(log.read_text())


def test_a_counter_that_the_function_keeps_never_counts(tmp_path):
    program = """
N = 0
@memory.cache
def f(x):
    global N
    N += 1
    count()
    return x * 10
print(json.dumps([f(1), f(1), f(2), f(1), N]))
"""
    assert run(tmp_path, program) == ([10, 10, 20, 10, 2], 2)
    assert run(tmp_path, program) == ([10, 10, 20, 10, 0], 0)


def test_a_setting_counts_by_value_and_may_come_back(tmp_path):
    program = """
CONFIG = {"k": 1}
@memory.cache
def f(x):
    count()
    return x * CONFIG["k"]
values = [f(3)]
CONFIG["k"] = 2
values.append(f(3))
CONFIG["k"] = 1
values.append(f(3))
print(json.dumps(values))
"""
    assert run(tmp_path, program) == ([3, 6, 3], 2)
    assert run(tmp_path, program) == ([3, 6, 3], 0)


def test_a_captured_array_counts_by_content(tmp_path):
    program = """
import numpy as np
A = np.arange(4)
@memory.cache
def f(x):
    count()
    return int(A.sum()) + x
values = [f(1)]
A[0] = 10
values.append(f(1))
print(json.dumps(values))
"""
    assert run(tmp_path, program) == ([7, 17], 2)
    assert run(tmp_path, program) == ([7, 17], 0)


FACTORY = """
def sq(x): return x * x
def cube(x): return x ** 3
def make(g):
    @memory.cache
    def inner(x):
        count()
        return g(x)
    return inner
def deco(g):
    def w(*a): return g(*a)
    return w
@deco
def first(x): return x + 1
@deco
def second(x): return x + 2
@memory.cache
def f(x):
    count()
    return first(x)
@memory.cache
def g(x):
    count()
    return second(x)
print(json.dumps([make(sq)(3), make(cube)(3), make(sq)(3), f(1), g(1)]))
"""


def test_closures_and_decorated_helpers_are_told_apart(tmp_path):
    assert run(tmp_path, FACTORY) == ([9, 27, 9, 2, 3], 4)
    assert run(tmp_path, FACTORY) == ([9, 27, 9, 2, 3], 0)
    assert run(tmp_path, FACTORY.replace("x + 2", "x + 5")) == ([9, 27, 9, 2, 6], 1)


def test_a_helper_that_the_body_imports_counts(tmp_path):
    program = """
@memory.cache
def f(x):
    import helpers
    count()
    return helpers.work(x)
print(json.dumps(f(2)))
"""
    assert run(tmp_path, program, {"helpers.py": "def work(x):\n    return x + 1\n"}) == (3, 1)
    assert run(tmp_path, program) == (3, 0)
    assert run(tmp_path, program, {"helpers.py": "# said\ndef work(x):\n    # more\n    return x + 1\n"}) == (3, 0)
    assert run(tmp_path, program, {"helpers.py": "def work(x):\n    return x + 5\n"}) == (7, 1)


def test_a_helper_of_an_editable_install_counts(tmp_path):
    """An editable install is a line in a `.pth` file of site-packages; the code stays where it is."""
    program = """
import site
site.addsitedir(os.path.join(os.getcwd(), "venv", "site-packages"))
import edited, installed
@memory.cache
def f(x):
    count()
    return edited.work(x), installed.work(x)
print(json.dumps(f(2)))
"""
    files = {
        "venv/site-packages/edited.pth": str(tmp_path / "checkout") + "\n",
        "venv/site-packages/installed.py": "def work(x): return x\n",
        "checkout/edited.py": "def work(x): return x + 1\n",
    }
    assert run(tmp_path, program, files) == ([3, 2], 1)
    assert run(tmp_path, program) == ([3, 2], 0)
    assert run(tmp_path, program, {"checkout/edited.py": "def work(x): return x + 2\n"}) == ([4, 2], 1)


def test_a_new_release_of_an_installed_helper_counts(tmp_path):
    program = """
sys.path.append(os.path.join(os.getcwd(), "site-packages"))
import installed
@memory.cache
def f(x):
    count()
    return installed.work(x)
print(json.dumps([f(2), f.why]))
"""
    record = "site-packages/installed-{}.dist-info/METADATA"
    first = {"site-packages/installed.py": "def work(x): return x\n", record.format("1.0"): "Metadata-Version: 2.1\nName: installed\nVersion: 1.0\n"}
    assert run(tmp_path, program, first) == ([2, "new function"], 1)
    assert run(tmp_path, program) == ([2, ""], 0)
    (tmp_path / record.format("1.0")).write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1.0+local.3\n")
    assert run(tmp_path, program) == ([2, ""], 0)
    (tmp_path / record.format("1.0")).write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1.1\n")
    (value, why), computed = run(tmp_path, program, {"site-packages/installed.py": "def work(x): return x * 7\n"})
    assert (value, computed) == (14, 1)
    assert "version of `installed`" in why


def test_types_and_orders_of_arguments_count(tmp_path):
    program = """
import pandas as pd
@memory.cache
def frame(keys):
    count()
    return list(pd.DataFrame({k: [1] for k in keys}).columns)
@memory.cache
def f(x):
    count()
    return x
print(json.dumps([frame({"a": 1, "b": 2}), frame({"b": 2, "a": 1}), [type(f(x)).__name__ for x in (1, 1.0, True)]]))
"""
    expected = [["a", "b"], ["b", "a"], ["int", "float", "bool"]]
    assert run(tmp_path, program) == (expected, 5)
    assert run(tmp_path, program) == (expected, 0)


WORKERS = """
import multiprocessing
import numpy as np
offset = np.arange(3)
class Step:
    def __init__(self, k): self.k = k
    def apply(self, x): return x * self.k
def helper(x):
    return x + int(offset[1])
@memory.cache
def f(x, step):
    count()
    return helper(step.apply(x))
@memory.cache
def fib(n):
    count()
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def plain(x): return f(x, Step(2)), fib(6)
if __name__ == "__main__":
    from joblib import Parallel, delayed
    values = [f(1, Step(2))]
    values.append(Parallel(2)(delayed(f)(x, Step(2)) for x in (1, 2, 3)))
    values.append(Parallel(2)(delayed(plain)(x) for x in (1, 2)))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        values.append(pool.map(plain, [2, 3]))
        values.append(pool.starmap(f, [(3, Step(2)), (4, Step(2))]))
    print(json.dumps([values, len(memory.entries())]))
"""


def test_workers_share_the_entries_of_a_function_of_main(tmp_path):
    expected = [[3, [3, 5, 7], [[3, 8], [5, 8]], [[5, 8], [7, 8]], [7, 9]], 4 + 7]
    assert run(tmp_path, WORKERS) == (expected, 11)
    assert run(tmp_path, WORKERS) == (expected, 0)


SPAWNED = """
import logging
from dataclasses import dataclass
@dataclass
class Step:
    k: int
@dataclass
class Plan:
    steps: list[Step]
def said(x):
    logging.getLogger(__name__).debug("%s", x)
    return x
@memory.cache
def f(x, plan):
    count()
    return Plan([Step(said(x) * step.k) for step in plan.steps])
def planned(x): return f(x, Plan([Step(2)]))
if __name__ == "__main__":
    if not os.path.exists("pooled"):
        open("pooled", "w").close()
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            assert pool.map(planned, [1, 2]) == [Plan([Step(2)]), Plan([Step(4)])]
    print(json.dumps([planned(1) == Plan([Step(2)]), planned(2) == Plan([Step(4)])]))
"""


def test_a_script_is_one_module_in_its_workers(tmp_path):
    """Spawned workers run the script as `__mp_main__`, a name that no later process has."""
    assert run(tmp_path, SPAWNED) == ([True, True], 2)
    assert run(tmp_path, SPAWNED) == ([True, True], 0)


CLASSES = """
import enum
from dataclasses import dataclass
class Mode(enum.Enum):
    EVEN = 0
    ODD = 1
@dataclass
class Fit:
    mode: Mode
    x: int
@memory.cache
def fit(x):
    count()
    return Fit(Mode(x % 2), x)
def is_right(found, x):
    return isinstance(found, Fit) and found.mode is Mode(x % 2) and found == Fit(Mode(x % 2), x)
def tried(x):
    found = fit(x)
    return is_right(found, x), found
if __name__ == "__main__":
    from joblib import Parallel, delayed
    values = [is_right(fit(0), 0)]
    for x, (there, found) in enumerate(Parallel(2)(delayed(tried)(x) for x in range(4))):
        values += [there, is_right(found, x)]
    values += [is_right(fit(x), x) for x in range(4)]
    print(json.dumps(all(values) or values))
"""


def test_results_are_of_the_scripts_own_classes_whoever_has_stored_them(tmp_path):
    """joblib's workers haven't run the script: they have its classes by value."""
    assert run(tmp_path, CLASSES) == (True, 4)
    assert run(tmp_path, CLASSES) == (True, 0)
    assert run(tmp_path, CLASSES.replace("x: int", "x: int\n    def twice(self): return 2 * self.x")) == (True, 4)


SEARCH = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
def scaled(X, power):
    return np.sign(X) * np.abs(X) ** power
class Power(BaseEstimator, TransformerMixin):
    def __init__(self, power=1.0):
        self.power = power
    def fit(self, X, y=None):
        count()
        self.mean_ = X.mean(axis=0)
        return self
    def transform(self, X):
        # a comment
        return scaled(X - self.mean_, self.power)
if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), np.arange(60) % 2
    pipeline = Pipeline([("power", Power()), ("model", LogisticRegression())], memory=memory)
    search = GridSearchCV(pipeline, {"power__power": [1.0, 2.0], "model__C": [0.1, 1.0, 10.0]}, cv=KFold(3), n_jobs=2)
    search.fit(X, y)
    print(json.dumps([float(search.best_score_)]))
"""


def test_a_grid_search_fits_each_step_once_for_a_fold(tmp_path):
    """It fits 2 powers in 3 folds each, then the best on all of X: joblib's workers would fit some of them twice."""
    (score,), fits = run(tmp_path, SEARCH)
    assert fits == 7
    assert run(tmp_path, SEARCH) == ([score], 0)
    assert run(tmp_path, SEARCH.replace("# a comment", "# another comment")) == ([score], 0)
    assert run(tmp_path, SEARCH.replace("np.sign(X)", "2 * np.sign(X)"))[1] == 7


CELLS = """
import os, types
cells = CELLS
main = types.ModuleType("__main__")
main.__dict__.update({name: globals()[name] for name in ("memory", "count", "json")})
sys.modules["__main__"] = main
for number, cell in enumerate(cells):
    # IPython, too, gives the files of cells other names in each session.
    exec(compile(cell, f"/tmp/ipykernel_{os.getpid()}/{os.getpid() * 10 + number}.py", "exec"), main.__dict__)
"""


def test_a_grid_search_in_cells_of_a_notebook_fits_each_step_once_for_a_fold(tmp_path):
    def session(source: str):
        head, _, rest = source.partition('if __name__ == "__main__":')
        # `count` has to be defined in the cell: workers get it by value.
        cell = HEAD.partition("def count")[2]
        cells = [f"import os\ndef count{cell}{head}", textwrap.dedent(rest)]
        return run(tmp_path, CELLS.replace("CELLS", repr(cells)))

    (score,), fits = session(SEARCH)
    assert fits == 7
    assert session(SEARCH) == ([score], 0)
    assert session(SEARCH.replace("# a comment", "# another\n        # comment")) == ([score], 0)
    assert session(SEARCH.replace("np.sign(X)", "2 * np.sign(X)"))[1] == 7


def test_counters_in_methods_of_arguments_never_count(tmp_path):
    program = """
N, LOG, FITS = 0, [], {"n": 0}
class Model:
    fitted = 0
    def fit(self, x):
        global N
        N += 1
        LOG.append(x)
        Model.fitted += 1
        self.x = x
        return self
@memory.cache
def f(model, x):
    count()
    return model.fit(x)
print(json.dumps([f(Model(), 1).x, f(Model(), 1).x, f(Model(), 2).x, N, Model.fitted]))
"""
    assert run(tmp_path, program) == ([1, 1, 2, 2, 2], 2)
    assert run(tmp_path, program) == ([1, 1, 2, 0, 0], 0)


def test_two_scripts_of_one_name_share_a_folder(tmp_path):
    program = """
@memory.cache
def f(x):
    count()
    return x + {}
print(json.dumps(f(1)))
"""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    folder = str(tmp_path / "cache")
    assert run(one, program.format(1), cache=folder) == (2, 1)
    assert run(two, program.format(2), cache=folder) == (3, 1)
    assert run(one, program.format(1), cache=folder) == (2, 0)
    assert run(two, program.format(2), cache=folder) == (3, 0)


def test_older_code_finds_its_results_again(tmp_path):
    program = """
@memory.cache
def f(x):
    count()
    return x + {}
print(json.dumps(f(1)))
"""
    assert [run(tmp_path, program.format(k)) for k in (1, 2, 1, 2)] == [(2, 1), (3, 1), (2, 0), (3, 0)]


def test_what_a_cached_helper_says_of_itself_counts_for_who_calls_it(tmp_path):
    program = """
K, L = {}, 0
@memory.cache(version={}, depends=["K"])
def g(x): return x
class C:
    @memory.cache(version={}, depends=["L", g])
    def m(self, x): return x
@memory.cache
def f(x):
    count()
    return g(C().m(x))
print(json.dumps(f(1)))
"""
    versions = [(1, 1, 1), (1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (1, 1, 1)]
    assert [run(tmp_path, program.format(*version))[1] for version in versions] == [1, 0, 1, 1, 1, 0]


def test_what_a_cached_property_computes_is_no_change_of_an_argument(tmp_path):
    program = """
import functools
class C:
    def __init__(self, k): self.k = k
    @functools.cached_property
    def double(self): return self.k * 2
class Empty:
    @functools.cached_property
    def double(self): return 7
class Held:
    def __init__(self, held): self.held, self.n = held, 0
@memory.cache
def f(c):
    count()
    return c.double
@memory.cache
def g(h, n):
    count()
    h.n += n
    return h.held[0].double
warnings.simplefilter("ignore")
print(json.dumps([f(C(1)), f(C(1)), f(C(2)), f(Empty()), f(Empty()), g(Held([C(3)]), 0), g(Held([C(3)]), 1)]))
"""
    # The last call changes its argument, so its result isn't stored.
    assert [run(tmp_path, program) for _ in range(2)] == [([2, 2, 4, 7, 7, 6, 6], 5), ([2, 2, 4, 7, 7, 6, 6], 1)]


def test_cached_functions_may_depend_on_each_other(tmp_path):
    program = """
def h(x): return x
g = memory.cache(h, depends=["f"])
@memory.cache(depends=[g])
def f(x):
    count()
    return g(x)
print(json.dumps(f(1)))
"""
    assert [run(tmp_path, program) for _ in range(2)] == [(1, 1), (1, 0)]


def test_a_pickled_function_keeps_its_path(tmp_path):
    program = """
import pickle, cloudpickle
def make(k):
    def inner(x):
        count()
        return x * k
    return inner
f = memory.cache(make(3))
@memory.cache
def g(x):
    count()
    return x
value = f(2)
again = cloudpickle.loads(cloudpickle.dumps(f))
assert again(2) == value and again.path(2) == f.path(2)
assert pickle.loads(pickle.dumps(g)) is g
other = cloudpickle.loads(cloudpickle.dumps(g))
assert other(1) == g(1) and other.path(1) == g.path(1)
print(json.dumps(value))
"""
    assert run(tmp_path, program) == (6, 2)
    assert run(tmp_path, program) == (6, 0)
