"""The fixture of the package, where it isn't installed as a plugin."""

from ndcache._pytest import ndcache_tmp

__all__ = ["ndcache_tmp"]
