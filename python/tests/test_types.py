"""A user's file under a type checker."""

from __future__ import annotations

import ast
import os
import pathlib
import shutil
import subprocess
import sys

import ndcache
import pytest
from support import run

USERS_FILE = '''
import asyncio
from ndcache import Memory, cache, expires_after, set_memory

memory = Memory("cache", mmap_mode="r", verbose=0)

@memory.cache
def f(x: int, *, n: int = 3) -> list[float]:
    return [x * 1.0] * n

@memory.cache(ignore=["loud"], version=2, cache_validation_callback=expires_after(days=1))
def g(x: str, loud: bool = False) -> str:
    return x

@cache
async def h(x: bytes) -> int:
    return len(x)

class C:
    @memory.cache
    def method(self, k: int) -> float:
        return float(k)

    @memory.cache
    @staticmethod
    def static(x: int) -> int:
        return x

def use() -> tuple[list[float], str, int, float, int, bool, float]:
    set_memory(memory)
    one: list[float] = f.call_and_shelve(3, n=2).get()
    return one, g("a", loud=True), asyncio.run(h(b"")), C().method(3), C.static(1), f.explain(3).is_hit, memory.eval(f, 3)[0]
'''


def mypy(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Runs mypy on `user.py`, as strictly as it can."""
    source = os.path.dirname(os.path.dirname(ndcache.__file__))
    env = {**os.environ} if "site-packages" in source else {**os.environ, "MYPYPATH": source}
    command = [sys.executable, "-m", "mypy", "--strict", "user.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env)


OTHERS_FILE = '''
from datetime import timedelta
from pathlib import Path
import joblib  # type: ignore[import-untyped]
import ndcache
import ndcache.joblib
from ndcache import CachedFunction, Memory, Reference, expires_after, register_hasher

ndcache.joblib.install()
memory = Memory(
    Path("cache"), "local", "r", False, 0, limits={"bytes": "1G"}, expires=timedelta(days=1), min_duration=0.1, mode="read-only",
    pickle="own", shared=False, texts=True, wait=60, recheck=0.01, durability="synced", readable=True, remote=["rw:/nfs", Path("/b")],
    share="any", remote_wait=timedelta(seconds=3), salt="a", statistics=False,
)

def plain(x: int) -> str:
    return str(x)

@memory.cache(
    None, ["x"], 0, "r", lambda metadata: bool(metadata["time"]), version=3, name="lab.f", depends=[plain, "NAME"], ignore_globals=["LOG"],
    code="auto", key={"x": ndcache.FileContent}, secret=["x"], min_duration=0.1, expires=60, compress=("gzip", 3), readable=True,
)
def f(x: str) -> int:
    return len(x)

g = ndcache.cache(plain, ["x"], 0)
h = memory.cache(plain, compress=True)

class Handle:
    name = "a"

@register_hasher(Handle)
def of_handle(handle: Handle) -> str:
    return handle.name

def use(cached: "CachedFunction[[int], str]") -> tuple[str, str | None, int, tuple[int, int], bool, list[str]]:
    reference: Reference[str] = cached.call_and_shelve(3)
    text: str = cached.explain(3).text + cached.func_id + cached.function_path + reference.func_id + of_handle(Handle())
    names = [part.kind + part.name for part in cached.code().parts] + [part.reason for part in cached.code().uncounted]
    places = [entry.path.name for entry in memory.entries(cached.function_path)]
    memory.flush(timeout=1), memory.verify(repair=True)["intact"], memory.last_misses(), memory.options, memory.mode
    assert memory.store_backend is not None and memory.mmap_mode and memory.verbose and memory.location and cached.ignore
    removed: int = memory.clear()
    age: float = expires_after(days=1).seconds
    return text, cached.key((3,)), removed, memory.reduce_size("1K"), age > 1 and memory.enabled, names + places

use(g)
use(h)
'''

#: What a user's file gets wrong, and mypy's word for it.
WRONG = {
    'memory.cache(texts=False)': "call-overload", 'Memory("c", limit=3)': "call-arg", "ndcache.cache(nonsense=3)": "call-overload",
    "Memory(recheck=timedelta(1))": "arg-type", 'h("a")': "arg-type",
}  # fmt: skip


def test_a_file_with_every_option_passes_mypy_strictly(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(OTHERS_FILE)
    done = mypy(tmp_path)
    assert done.returncode == 0, done.stdout
    for wrong, word in WRONG.items():
        (tmp_path / "user.py").write_text(f"{OTHERS_FILE}\n{wrong}\n")
        done = mypy(tmp_path)
        assert f"[{word}]" in done.stdout and "Found 1 error" in done.stdout, (wrong, done.stdout)


def test_a_file_with_every_option_runs(tmp_path):
    pytest.importorskip("joblib")
    run(OTHERS_FILE.replace('mode="read-only"', 'mode="off"').replace("use(g)", "").replace("use(h)", ""), cwd=tmp_path)


def test_the_options_are_those_of_the_stub():
    from ndcache import _decorate, _memory

    stub = ast.parse((pathlib.Path(ndcache.__file__).parent / "__init__.pyi").read_text())
    typed = {
        node.name: {item.target.id for item in node.body}
        for node in stub.body
        if isinstance(node, ast.ClassDef) and node.name in ("_Options", "_Settings")
    }
    assert typed["_Options"] == _decorate._OPTIONS - {"ignore", "verbose", "mmap_mode", "cache_validation_callback"}
    assert typed["_Settings"] == set(_memory._OWN)


#: What no stub says: constructors that are nobody's to call, and what is declared as what it gives.
UNSAID = r"""
ndcache\.(Code|Explanation|Memory|joblib\.Memory)\.__init__
ndcache\.(Async)?CachedFunction\.__wrapped__
ndcache\.Memory\.cache
"""


def test_the_stubs_are_what_is_there(tmp_path):
    pytest.importorskip("mypy")
    pytest.importorskip("joblib")
    # The folder has the stubs alone: the package's own files aren't written for stubtest.
    package = pathlib.Path(ndcache.__file__).parent
    (tmp_path / "ndcache").mkdir()
    for file in [*package.glob("*.pyi"), package / "py.typed"]:
        shutil.copy(file, tmp_path / "ndcache")
    (tmp_path / "allowed").write_text(UNSAID)
    (tmp_path / "mypy.ini").write_text("[mypy]\nignore_missing_imports = True\n")
    command = [sys.executable, "-m", "mypy.stubtest", "ndcache", "--concise", "--ignore-missing-stub", "--allowlist", "allowed"]
    env = {**os.environ, "MYPYPATH": str(tmp_path), "PYTHONPATH": str(package.parent)}
    done = subprocess.run([*command, "--mypy-config-file", "mypy.ini"], cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_users_file_passes_mypy_strictly(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(USERS_FILE)
    done = mypy(tmp_path)
    assert done.returncode == 0, done.stdout
    (tmp_path / "user.py").write_text(USERS_FILE + '\nf("a")\nC().method("x")\n')
    done = mypy(tmp_path)
    assert done.stdout.count("[arg-type]") == 2, done.stdout
