"""A sweep of parameters over processes, with joblib.Parallel and with a local Dask cluster: each point is computed once.

    python sweep.py            # run it twice
"""

import sys

import numpy as np
from ndcache import Memory

memory = Memory(sys.argv[1] if len(sys.argv) > 1 else "cache", mmap_mode="r", verbose=0)


@memory.cache
def walks(seed, steps=20_000):
    """Random walks, which all points share: the first worker computes them, the others wait and map the result."""
    print(f"computing walks {seed}", flush=True)
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(50, steps)).cumsum(axis=1)


@memory.cache
def escape(seed, bound):
    """How many steps a walk takes to leave the bounds, on average."""
    print(f"computing escape {seed} {bound}", flush=True)
    outside = np.abs(walks(seed)) > bound
    return float(np.where(outside.any(axis=1), outside.argmax(axis=1), outside.shape[1]).mean())


def with_joblib(bounds):
    from joblib import Parallel, delayed

    return Parallel(n_jobs=2)(delayed(escape)(1, bound) for bound in bounds)


def with_dask(bounds):
    from dask.distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster, Client(cluster) as client:
        return client.gather([client.submit(escape, 1, bound) for bound in bounds])


if __name__ == "__main__":
    bounds = [5, 10, 20, 40]
    first = with_joblib(bounds)
    print(f"joblib: {first}")
    second = with_dask(bounds)
    print(f"dask:   {second}")
    assert first == second
