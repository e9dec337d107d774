"""Arguments that a function changes: what is stored all the same, and what is said of the rest."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import subprocess
import sys
import warnings

import ndcache
import numpy as np
import pytest


class Model:
    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, x):
        self.coef_ = float(x.sum()) * self.scale
        return self


class Chain:
    """Has what it is made of as a pipeline of scikit-learn does."""

    def __init__(self, *steps):
        self.steps = [(f"step {nth}", step) for nth, step in enumerate(steps)]


class Slots:
    __slots__ = ("model",)

    def __init__(self, model):
        self.model = model


class Leaves:
    """Is pickled without its model."""

    def __init__(self, model):
        self.model = model

    def __getstate__(self):
        return {}


@dataclasses.dataclass
class Fits:
    models: dict


X = np.arange(4.0)


def models():
    return {"a": Model(), "b": Model(2.0)}


def fitted(them, x):
    return {name: model.fit(x) for name, model in them.items()}


def in_array(model):
    array = np.empty(1, object)
    array[0] = model
    return array


HELD = {
    "itself": lambda model: model,
    "tuple": lambda model: (model, 1),
    "attribute": Chain,
    "deeper attribute": lambda model: {"best": Chain(7, model)},
    "many lists": lambda model: [[[[[[[model]]]]]]],
    "slot": Slots,
    "key": lambda model: {model: 1},
    "set": lambda model: {model},
    "deque": lambda model: collections.deque([model]),
    "partial": lambda model: functools.partial(Model.fit, model),
    "method": lambda model: model.fit,
    "array of objects": in_array,
}

NOT_HELD = {
    "a number of it": lambda model: model.coef_,
    "what its pickle leaves out": Leaves,
    "a copy": lambda model: Model(model.scale).fit(X),
    "by name": lambda model: setattr(Chain, "last", model) or Chain,
}


def stored(function, *make, **options):
    """Calls a cached function with new arguments; returns the result, whether it is stored, and what was said."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        value = function(*[one() for one in make])
    return value, function.check_call_in_cache(*[one() for one in make]), [str(one.message) for one in said]


@pytest.mark.parametrize("around", HELD.values(), ids=HELD)
def test_what_holds_a_changed_argument_is_stored(memory, around):
    fit = memory.cache(lambda model, x: around(model.fit(x)), name="fit")
    _, is_stored, said = stored(fit, Model, X.copy)
    assert is_stored and not said, said
    assert type(fit(Model(), X)) is type(around(Model().fit(X)))


@pytest.mark.parametrize("around", NOT_HELD.values(), ids=NOT_HELD)
def test_what_doesnt_hold_a_changed_argument_isnt_stored(memory, around):
    fit = memory.cache(lambda model, x: around(model.fit(x)), name="fit")
    _, is_stored, said = stored(fit, Model, X.copy)
    assert not is_stored and len(said) == 1
    assert "has changed its argument `model` (`model.coef_` is new)" in said[0] and "let it change a copy" in said[0]
    assert "or return it with the result" in said[0] and 'ignore=["model"]' in said[0]


CONTAINERS = {
    "dict of models": (fitted, models),
    "list of them": (lambda them, x: [model.fit(x) for model in them.values()], models),
    "tuples": (lambda them, x: tuple((name, model.fit(x), 1.0) for name, model in them.items()), models),
    "dataclass": (lambda them, x: Fits(fitted(them, x)), models),
    "another dict of the same": (lambda them, x: fitted(dict(them), x), models),
    "dicts in lists": (lambda them, x: [fitted(one, x) for one in them], lambda: [models(), models()]),
    "set": (lambda them, x: [model.fit(x) for model in them], lambda: {Model()}),
    "defaultdict": (fitted, lambda: collections.defaultdict(Model, models())),
    "namedtuple": (lambda them, x: [them.one.fit(x)], lambda: Pair(Model(), 2)),
    "one of two, the other is left": (lambda them, x: them["a"].fit(x), models),
    "with a large array beside": (lambda them, x: them[0].fit(x), lambda: [Model(), np.zeros(20_000_000)]),
}

Pair = collections.namedtuple("Pair", "one two")


@pytest.mark.parametrize(("function", "make"), CONTAINERS.values(), ids=CONTAINERS)
def test_models_in_an_arguments_containers_are_stored_once_the_result_holds_those_that_changed(memory, function, make):
    fit = memory.cache(function, name="fit")
    _, is_stored, said = stored(fit, make, X.copy)
    assert is_stored and not said, said


def test_models_among_any_arguments_are_stored(memory):
    def several(x, *them, **named):
        return [model.fit(x) for model in (*them, *named.values())]

    async def awaited(them, x):
        return fitted(them, x)

    several, awaited = memory.cache(several), memory.cache(awaited)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        several(X, Model(), Model(2.0), last=Model(3.0))
        asyncio.run(awaited(models(), X))
    assert several.check_call_in_cache(X, Model(), Model(2.0), last=Model(3.0)) and awaited.check_call_in_cache(models(), X)
    assert [model.coef_ for model in several(X, Model(), Model(2.0), last=Model(3.0))] == [6.0, 12.0, 18.0]


class Study:
    def __init__(self):
        self.models = models()

    def fit_all(self, x):
        return fitted(self.models, x)


def both(them, x):
    fitted(them, x)
    return them["a"]


def one_more(them, x):
    them["c"] = 3
    return them["a"].fit(x)


def grown(items):
    items.append(1)
    return 7


def emptied(box):
    del box.scale
    return 1


def replaced(box):
    box.scale = 2.5
    return 1


def inside(box):
    box.log.append(1)
    return 1


class Box:
    def __init__(self):
        self.scale, self.log = 1.25, []


def filled(array):
    array[0] = 1.0
    return 1


@pytest.mark.parametrize(("function", "make", "what"), [
    (lambda study, x: study.fit_all(x), (Study, X.copy), "`study` (`study.models` has changed in place)"),
    (both, (models, X.copy), "`them` (`them['b'].coef_` is new)"),
    (one_more, (models, X.copy), "`them` (`them['c']` is new)"),
    (grown, (lambda: [0],), "`items` (`items[1]` is new)"),
    (emptied, (Box,), "`box` (`box.scale` is gone)"),
    (replaced, (Box,), "`box` (`box.scale` is another value)"),
    (inside, (Box,), "`box` (`box.log` has changed in place)"),
    (filled, (lambda: np.zeros(3),), "`array`: "),
], ids=["in an object", "one of two", "container", "list", "gone", "replaced", "in place", "array"])  # fmt: skip
def test_what_of_an_argument_has_changed_is_told(memory, function, make, what):
    cached = memory.cache(function, name="changing")
    _, is_stored, said = stored(cached, *make)
    assert not is_stored and len(said) == 1 and f"has changed its argument {what}" in said[0], said


def test_a_changed_global_is_told_with_what_of_it_has(memory):
    MODELS = {"a": Model(), "b": Model()}

    def fit_one(x):
        return MODELS["a"].fit(x).coef_

    with pytest.warns(ndcache.CacheWarning, match=r"has changed `MODELS`.*\(`MODELS\['a'\].coef_` is new\)"):
        memory.cache(fit_one, depends=["MODELS"])(X)


PROGRAM = """
import sys
import numpy as np
from ndcache import Memory
from sklearn.linear_model import Lasso, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X = np.arange(20.0).reshape(10, 2) ** 1.5
y = X.sum(axis=1)
memory = Memory("cache", verbose=0)

@memory.cache
def inside(x, y):
    return {alpha: make_pipeline(StandardScaler(), Ridge(alpha)).fit(x, y) for alpha in (0.1, 1.0)}

@memory.cache
def outside(models, x, y):
    return {name: model.fit(x, y) for name, model in models.items()}

@memory.cache
def scored(models, x, y):
    return [(name, model.fit(x, y), model.score(x, y)) for name, model in models]

def new():
    return {"ridge": Ridge(), "chain": make_pipeline(StandardScaler(), Lasso(0.01))}

found = (inside(X, y)[1.0], outside(new(), X, y)["chain"], scored(list(new().items()), X, y)[1][1])
print([model.predict(X).sum().round(9) for model in found], memory.stats()["misses"])
"""


def test_fitted_models_are_loaded_in_the_next_process(tmp_path):
    pytest.importorskip("sklearn")
    (tmp_path / "program.py").write_text(PROGRAM)
    runs = [
        subprocess.run([sys.executable, "-W", "error::ndcache.CacheWarning", "program.py"], cwd=tmp_path, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert all(run.returncode == 0 for run in runs), runs[0].stderr + runs[1].stderr
    first, second = (run.stdout.split("]") for run in runs)
    assert first[0] == second[0] and (first[1].strip(), second[1].strip()) == ("3", "0")
