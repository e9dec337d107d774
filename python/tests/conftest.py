"""The fixture of the package, where it isn't installed as a plugin, and a memory that prints nothing."""

import pytest
from ndcache import Memory
from ndcache._pytest import ndcache_tmp

__all__ = ["memory", "ndcache_tmp"]


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path / "cache", verbose=0)
