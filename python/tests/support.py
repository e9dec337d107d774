"""What several tests need: programs that run in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import ndcache

# The folder above the package that is tested: that of a wheel, or the sources'.
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(ndcache.__file__)))


def start(program: str, *arguments: object, cwd=None, interpreter=(), **environment: object) -> subprocess.Popen:
    """Starts a program, the text of a Python file or the path of one."""
    env = {**os.environ, "PYTHONPATH": PACKAGE, "NDCACHE_DIR": "", "PYTHONFAULTHANDLER": "1"}
    env.update({name: str(value) for name, value in environment.items()})
    is_file = program.endswith(".py") and "\n" not in program
    what = [program] if is_file else ["-c", textwrap.dedent(program)]
    command = [sys.executable, *interpreter, *what, *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(program: str, *arguments: object, timeout: float = 120, code: int = 0, **options: object) -> str:
    """What a program prints; it has to end with this exit code."""
    process = start(program, *arguments, **options)
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
    return out


def answer(program: str, *arguments: object, **options: object):
    """What a program says in the last line that it prints, as JSON."""
    return json.loads(run(program, *arguments, **options).strip().splitlines()[-1])
