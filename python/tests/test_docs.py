"""Every snippet of the pages runs, and every example runs twice: the second time nothing is computed."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "python" / "README.md", ROOT / "docs" / "coming-from-joblib-python.md", ROOT / "docs" / "tiers.md"]
EXAMPLES = ROOT / "python" / "examples"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_snippets_of_a_page_run_in_order(page, tmp_path):
    if not page.exists():
        pytest.skip("it needs the checkout")
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S))
    assert program, "the page has no snippet"
    (tmp_path / "prog.py").write_text(program)
    for _ in range(2):
        done = subprocess.run([sys.executable, "prog.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


def example(name: str, folder: pathlib.Path, *arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", str(EXAMPLES / name), str(folder / "cache"), *arguments]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_first_steps(tmp_path):
    first = example("first.py", tmp_path)
    assert "miss: new function" in first and "   hit\n" in first and "miss: argument `power`: 2 → 1" in first
    assert "argument `n`: 1024 → 512" in first and "window" in first
    assert "miss" not in example("first.py", tmp_path)


def test_a_grid_search(tmp_path):
    pytest.importorskip("sklearn")
    first, second = example("grid_search.py", tmp_path), example("grid_search.py", tmp_path)
    assert first.count("fitting width") == 7 and "7 fits are stored" in first
    assert "fitting" not in second and second.splitlines()[-2] == first.splitlines()[-2]


def test_a_series_of_volumes(tmp_path):
    pytest.importorskip("nibabel")
    first, second = example("volume.py", tmp_path), example("volume.py", tmp_path)
    assert first.count("Calling") == 3 and "Calling" not in second
    assert "a memmap" in first and "a memmap" in second


def test_a_sweep_over_processes(tmp_path):
    pytest.importorskip("dask.distributed")
    first, second = example("sweep.py", tmp_path), example("sweep.py", tmp_path)
    assert first.count("computing walks") == 1 and first.count("computing escape") == 4
    assert "computing" not in second


def test_a_notebook(tmp_path):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")

    def run():
        notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
        nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
        return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]

    def text(outputs):
        return "".join(output.get("text", "") for output in outputs)

    first, second = run(), run()
    assert "computing" in text(first) and "computing" not in text(second)
    html = [output["data"]["text/html"] for output in second if "text/html" in output.get("data", {})]
    assert any("<table>" in one and "denoised" in one for one in html)


def test_a_chain_over_two_languages(tmp_path):
    if not (ROOT / "examples" / "chain.rs").exists() or shutil.which("cargo") is None:
        pytest.skip("it needs cargo and the checkout")
    first, second = example("chain.py", tmp_path), example("chain.py", tmp_path)
    assert "the peak is at 440" in first and "computing" in first
    assert "the peak is at 440" in second and "computing" not in second


def test_every_test_that_a_page_names_is_there():
    page = (ROOT / "docs" / "guarantees-python.md").read_text()
    code = "".join(path.read_text() for path in pathlib.Path(__file__).parent.glob("test_*.py"))
    names = [name.partition("[")[0] for name in re.findall(r"`(test_\w+(?:\[[^`]*\])?)`", page)]
    assert len(names) > 20
    assert not [name for name in names if f"def {name}(" not in code]
