"""Why a call misses, where an argument's code is what has changed."""

from __future__ import annotations

import pytest
from support import run

PROGRAM = """
import pathlib, sys
from ndcache import Memory
from shapes import Box, Scaler, area

memory = Memory("cache", verbose=0)

@memory.cache
def fit(transformer, x):
    return x

@memory.cache
def several(items):
    return len(items)

@memory.cache
def apply(function, x):
    return 2 * x

for call in (lambda: fit(Scaler(2), 1), lambda: several([Box(Scaler(1)), Box(Scaler(2))]), lambda: apply(area, 3)):
    call()
print(fit.why, several.why, apply.why, sep="|")
print(fit.explain(Scaler(3), 1), fit.explain(Scaler(2), 1), fit.explain(Box(1), 1), sep="|")
"""

SHAPES = """
class Box:
    def __init__(self, inner): self.inner = inner

class Scaler:
    def __init__(self, scale, *more): self.scale = scale
    def transform(self, x): return x * self.scale

def area(x): return x * x
"""


def test_where_only_the_code_of_an_arguments_class_has_changed_the_reason_says_so(tmp_path):
    (tmp_path / "shapes.py").write_text(SHAPES)
    (tmp_path / "program.py").write_text(PROGRAM)
    new, asked = run("program.py", cwd=tmp_path).splitlines()
    assert new == "new function|new function|new function"
    assert asked == "argument `transformer`: another Scaler|hit|argument `transformer`: Scaler → Box"
    (tmp_path / "shapes.py").write_text(SHAPES.replace("x * self.scale", "self.scale * x").replace("x * x", "x ** 2"))
    why, asked = run("program.py", cwd=tmp_path).splitlines()
    fitted, several, applied = why.split("|")
    assert fitted == "argument `transformer`: code of `Scaler` changed"
    assert several == "argument `items`: code of `Scaler` changed"
    assert applied == "argument `function`: code of `area` changed"
    assert asked.startswith("argument `transformer`: another Scaler|hit|")


def test_an_edit_of_a_class_is_told_beside_newer_results_of_other_values(tmp_path):
    program = PROGRAM.replace("lambda: fit(Scaler(2), 1)", "lambda: [fit(Scaler(n), 1) for n in range(5)]")
    (tmp_path / "shapes.py").write_text(SHAPES)
    (tmp_path / "program.py").write_text(program)
    run("program.py", cwd=tmp_path)
    (tmp_path / "shapes.py").write_text(SHAPES.replace("x * self.scale", "self.scale * x"))
    assert run("program.py", cwd=tmp_path).split("|")[0] == "argument `transformer`: code of `Scaler` changed"


@pytest.mark.parametrize("option", ["texts=False", "salt='s'"])
def test_without_texts_no_part_of_an_argument_is_told(tmp_path, option):
    (tmp_path / "shapes.py").write_text(SHAPES)
    (tmp_path / "program.py").write_text(PROGRAM.replace("verbose=0", f"verbose=0, {option}"))
    run("program.py", cwd=tmp_path)
    (tmp_path / "shapes.py").write_text(SHAPES.replace("x * self.scale", "self.scale * x"))
    expected = "argument `transformer` changed" if "texts" in option else "argument `transformer`: code of `Scaler` changed"
    assert run("program.py", cwd=tmp_path).split("|")[0] == expected
