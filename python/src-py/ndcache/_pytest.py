"""A fixture for tests of programs that use ndcache; pytest finds it by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def ndcache_tmp(tmp_path: Any) -> Iterator[Any]:
    """A `Memory` in a folder of the test's own. Functions decorated with `ndcache.cache` use it meanwhile, too."""
    from ndcache import Memory, _decorate, set_memory

    before = dict(_decorate._default)
    memory = Memory(tmp_path / "ndcache", verbose=0)
    set_memory(memory)
    try:
        yield memory
    finally:
        set_memory(before["memory"])
        _decorate._default.update(before)
