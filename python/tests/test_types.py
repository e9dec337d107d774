"""A user's file under a type checker."""

from __future__ import annotations

import os
import subprocess
import sys

import ndcache
import pytest

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


def test_a_users_file_passes_mypy_strictly(tmp_path):
    pytest.importorskip("mypy")
    source = os.path.dirname(os.path.dirname(ndcache.__file__))
    env = {**os.environ} if "site-packages" in source else {**os.environ, "MYPYPATH": source}
    (tmp_path / "user.py").write_text(USERS_FILE)
    command = [sys.executable, "-m", "mypy", "--strict", "user.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout
    (tmp_path / "user.py").write_text(USERS_FILE + '\nf("a")\nC().method("x")\n')
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.stdout.count("[arg-type]") == 2, done.stdout
