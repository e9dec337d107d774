"""What of a program's text a cached function depends on: edits are made between processes, with other hash seeds."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pathlib
import subprocess
import sys
import types

import pytest
from code_cases import ALL
from ndcache._code import annotated
from ndcache._code.body import body

STATE = pathlib.Path(__file__).with_name("code_state.py")
IDS = [f"{case[3]}: {case[0]} ({number})" for number, case in enumerate(ALL)]


# Modules that programs load when they need them: the second process loads them at its start.
PRELOAD = "numpy.fft numpy.random numpy.ma xml.dom.minidom concurrent.futures.process argparse decimal scipy.signal"


def states(folder: pathlib.Path, programs: list[dict[str, str]], seed: int, preload: str = "") -> list[str]:
    """Returns what the keys of each program's ``f`` depend on, as new processes with this hash seed see it."""
    folders = [folder / str(number) for number in range(len(programs))]
    for place, files in zip(folders, programs):
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text + "\n")
    env = {**os.environ, "PYTHONHASHSEED": str(seed), "PRELOAD": preload}
    subprocess.run([sys.executable, str(STATE), *map(str, folders)], check=True, env=env, timeout=1200)
    return [(place / "state").read_text() for place in folders]


def edited(files: dict[str, str], changes: list[tuple[str, str, str]]) -> dict[str, str]:
    after = dict(files)
    for name, old, new in changes:
        assert old in after[name], (name, old)
        after[name] = after[name].replace(old, new)
    return after


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory):
    """The states before the edit, in a second process before it, and after it."""
    folder = tmp_path_factory.mktemp("code")
    before = [files for _, files, _, _ in ALL]
    after = [edited(files, changes) for _, files, changes, _ in ALL]
    return list(zip(states(folder, before, 1), states(folder, before, 2, PRELOAD), states(folder, after, 3)))


@pytest.mark.parametrize("number", range(len(ALL)), ids=IDS)
def test_an_edit_is_seen_exactly_if_it_matters(number, outcomes):
    first, second, third = outcomes[number]
    assert not first.startswith("failed"), first
    assert not third.startswith("failed"), third
    assert first == second, "another process, with another hash seed, sees other code"
    assert (first == third) == (ALL[number][3] == "same"), f"{first}\n{third}"


def test_annotations_are_the_same_texts_in_workers():
    def texts(main):
        item = type("Item", (), {"__module__": main})
        return annotated.of_class(type("C", (), {"__annotations__": {"items": list[item], "mp_main__": int}}))

    assert texts("__main__") == texts("__mp_main__") == [("items", "list[__main__.Item]"), ("mp_main__", "int")]


def bodies(code: types.CodeType) -> list[object]:
    """Returns the bodies of the functions in a code object, one by one."""
    found: list[object] = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += [body(constant), *bodies(constant)]
    return found


@pytest.mark.parametrize("name", ["argparse", "ast", "collections.abc", "csv", "dataclasses", "functools", "json.decoder", "statistics", "typing"])
def test_a_reformatted_module_has_the_bodies_that_it_had(name):
    """`ast.unparse` drops comments and moves line breaks; the compiler then orders the blocks of a few bodies otherwise."""
    text = inspect.getsource(importlib.import_module(name))
    one, two = (bodies(compile(source, name, "exec")) for source in (text, ast.unparse(ast.parse(text))))
    assert len(one) == len(two)
    assert sum(a != b for a, b in zip(one, two)) <= 0.05 * len(one)


def test_constants_count_with_their_types():
    texts = ["x + 1", "x + 1.0", "x + True", "x + -0.0", "x + 0.0", "x + 1j", "(x, 1)", "(x, 'a')", "(x, b'a')", "x in {1, 2}", "x in (1, 2)", "x[1:2]"]
    found = [repr(body(compile(f"lambda x: {text}", "", "eval").co_consts[0])) for text in texts]
    assert len(set(found)) == len(texts)
