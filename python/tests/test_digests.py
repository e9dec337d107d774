"""Digests: equal values have one, others have others, whatever the process, and no value ends the interpreter."""

from __future__ import annotations

import copy
import itertools
import json
import os
import pathlib
import pickle
import random
import subprocess
import sys
import threading
import time

import digest_values
import golden_values
import numpy as np
import pytest
from support import answer, run

import ndcache
from ndcache import Unkeyable, digest

HERE = os.path.dirname(__file__)
PROGRAM = os.path.join(HERE, "digest_values.py")


def test_digests_are_those_of_other_processes_whatever_their_hash_seed():
    found = [answer(PROGRAM, PYTHONHASHSEED=seed) for seed in (0, 1, 4242)]
    assert len(found[0]) >= 48
    for name in found[0]:
        assert found[0][name] == found[1][name] == found[2][name], name


def test_values_that_functions_tell_apart_have_different_digests():
    seen = {}
    for name, value in digest_values.values().items():
        seen.setdefault(digest(value), []).append(name)
    alike = [names for names in seen.values() if len(names) > 1]
    # Only these two may have one digest: their elements are the same, in the same order of memory.
    assert alike == [["array T", "array F"]] or not alike, alike
    assert len(seen) * (len(seen) - 1) / 2 > 100


@pytest.mark.parametrize("name", digest_values.values())
def test_a_copy_by_pickle_has_the_same_digest(name):
    value = digest_values.values()[name]
    try:
        copied = pickle.loads(pickle.dumps(value, protocol=5))
    except TypeError as error:
        assert name == "mappingproxy", error
        return
    assert digest(copied) == digest(value)
    assert digest(copy.deepcopy(value)) == digest(value)


def test_a_digest_is_taken_again_and_again_without_a_change():
    for name, value in digest_values.values().items():
        assert digest(value) == digest(value), name


GOLDEN = json.load(open(os.path.join(HERE, "golden_digests.json"), encoding="utf-8"))


@pytest.mark.parametrize("name", golden_values.values())
def test_a_value_has_the_digest_that_is_written_down(name):
    # Those of 7, true, 1.5, a, (1, a), none, words and path are the digests that `ndcache::digest` returns in Rust.
    assert digest(golden_values.values()[name]) == GOLDEN[name]


def test_every_digest_that_is_written_down_is_of_a_value_that_is_tested():
    assert set(GOLDEN) == set(golden_values.values())


def test_values_that_functions_tell_apart_are_written_down_with_different_digests():
    seen = {}
    for name, written in GOLDEN.items():
        seen.setdefault(written, []).append(name)
    # All NaNs count as one value, whatever their bits are.
    assert [names for names in seen.values() if len(names) > 1] == [["nan", "nan with a payload"]]


def painted(count, dtype="u1"):
    return (np.arange(count) % 251).astype(dtype)


def test_arrays_have_the_digests_that_are_written_down_for_rust():
    written = json.loads((pathlib.Path(HERE).parents[1] / "data" / "array_digests.json").read_text(encoding="utf-8"))
    # The arrays stand in the order of the file, which describes each of them.
    made = [
        np.empty(0),
        np.array(1.5),
        painted(1000),
        painted(12, "f8").reshape(3, 4),
        np.asfortranarray(painted(12, "f8").reshape(3, 4)),
        painted(24, "f4").reshape(4, 2, 3).transpose(1, 2, 0),
        painted(1 << 20),
        painted((1 << 20) + 1),
        painted(400_000, "f8"),
        np.arange(7) % 2 == 0,
        np.arange(5) * (1 + 1j),
        painted(24, "f8").reshape(6, 4)[::2],
        painted(5, "i4").reshape(1, 5, 1),
        np.asfortranarray(painted(6, "f8").reshape(2, 1, 3)),
    ]
    assert [digest(array) for array in made] == [vector["digest"] for vector in written["vectors"]]


def random_arrays(count):
    choose = random.Random(20261129)
    dtypes = ["f8", "f4", "i8", "i4", "i2", "i1", "u1", "u2", "u4", "u8", "b1", "c8", "c16", "f2"]
    for _ in range(count):
        shape = tuple(choose.choice([0, 1, 2, 3, 5, 7]) for _ in range(choose.randint(0, 4)))
        dtype = np.dtype(choose.choice(dtypes))
        size = int(np.prod(shape, dtype=int))
        flat = np.frombuffer(choose.randbytes(size * dtype.itemsize) if dtype != bool else bytes(choose.choices([0, 1], k=size)), dtype)
        yield flat.reshape(shape, order=choose.choice("CF"))


def test_arrays_have_the_digests_that_rust_gives_their_files(tmp_path):
    arrays = list(random_arrays(1000))
    files = []
    for n, array in enumerate(arrays):
        files.append(str(tmp_path / f"{n}.npy"))
        np.save(files[-1], array)
    done = subprocess.run(
        [sys.executable, "-m", "ndcache", "hash", *files],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(ndcache.__file__))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = [line.split()[0] for line in done.stdout.splitlines()]
    assert theirs == [digest(array) for array in arrays]


def test_bytes_are_hashed_without_the_lock_of_the_interpreter():
    # The values are large so that the other threads would have to wait long if the lock were held.
    data = bytes(200 << 20)
    values = [data, data.decode(), bytearray(data), memoryview(data), memoryview(data).cast("f")]
    known = [digest(value) for value in values]
    assert len(set(known)) == len(known)
    turns, is_over = [0], threading.Event()

    def others():
        while not is_over.is_set():
            turns[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=others)
    before = sys.getswitchinterval()
    # With so long an interval Python asks no thread to give up the lock: the digest does so by itself or not at all.
    sys.setswitchinterval(100)
    try:
        thread.start()
        for value, expected in zip(values, known):
            turns[0] = 0
            for _ in range(50):  # on a machine with much to do the other thread may not come to run
                assert digest(value) == expected
                if turns[0] > 10:
                    break
            assert turns[0] > 10, (type(value), turns)
    finally:
        sys.setswitchinterval(before)
        is_over.set()
        thread.join()


def test_bytes_like_values_count_by_their_bytes():
    long = np.arange(100_000, dtype="u1")
    for size in (0, 1, 60_000, 100_000):
        data = long[:size].tobytes()
        one, part = bytearray(data), memoryview(data + b"x")[:size]
        assert digest(one) == digest(bytearray(data)) != digest(data)
        assert digest(memoryview(data)) == digest(memoryview(bytearray(data))) == digest(part) != digest(one)
        one += b"!"  # nothing keeps it from growing any more
        assert digest(one) != digest(bytearray(data))
        if size > 1:
            assert digest(memoryview(data)[::2]) == digest(memoryview(data[::2])) != digest(memoryview(data))


def test_strides_and_views_count_by_their_elements():
    base = np.arange(60.0).reshape(3, 4, 5)
    for array in (base[::2], base[:, ::-1], base.transpose(1, 0, 2), base[..., 0], np.broadcast_to(base[0, 0], (2, 5)), base[1:1]):
        assert digest(array) == digest(array.copy(order="K")) or digest(array) == digest(np.ascontiguousarray(array))
    permuted = base.transpose(1, 0, 2)
    assert digest(permuted) == digest(permuted.copy(order="K"))
    assert digest(base[:, ::-1]) == digest(np.ascontiguousarray(base[:, ::-1]))
    read_only = base.copy()
    read_only.flags.writeable = False
    assert digest(read_only) == digest(base)


def test_zeros_and_nans_of_arrays_count_by_their_bits_and_scalars_nan_is_one():
    assert digest(np.array([0.0])) != digest(np.array([-0.0]))
    assert digest(float("nan")) == digest(-float("nan"))
    other = np.array([0x7FF8000000000001], dtype="u8").view("f8")[0]
    assert digest(other) == digest(np.float64("nan"))
    assert digest(float(other)) == digest(float("nan"))


def test_bytes_that_mean_nothing_dont_count():
    ones = np.ones(3, dtype=np.longdouble)
    dirty = ones.copy()
    if dirty.dtype.itemsize == 16 and sys.platform == "linux" and os.uname().machine == "x86_64":
        dirty.view("u1").reshape(3, 16)[:, 10:] = 0xAB
    assert (ones == dirty).all() and digest(ones) == digest(dirty) and digest(ones[0]) == digest(dirty[0])
    padded = np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8], "itemsize": 16})
    clean, dirty = np.zeros(4, padded), np.frombuffer(b"\xff" * 64, padded).copy()
    dirty["a"], dirty["b"] = 0, 0.0
    assert digest(clean) == digest(dirty)


def test_dict_order_counts_in_keys_and_not_in_hash():
    ab, ba = {"a": 1, "b": [1, {"c": 2, "d": 3}]}, {"b": [1, {"d": 3, "c": 2}], "a": 1}
    assert digest(ab) != digest(ba)
    assert ndcache.hash(ab) == ndcache.hash(ba)
    assert ndcache.hash(ab) != ndcache.hash({**ab, "a": 2})
    one, other = digest_values.Plain(a=1, b=2), digest_values.Plain(b=2, a=1)
    assert digest(one) == digest(other)


def test_aliases_dont_count():
    inner = [1, 2]
    assert digest([inner, inner]) == digest([[1, 2], [1, 2]])
    array = np.arange(1000.0)
    assert digest((array, array)) == digest((array, array.copy()))


def test_a_graph_that_shares_much_takes_linear_time():
    value, other = [0], frozenset()
    for n in range(60):
        value = [value, value]
        other = frozenset({other, (other, n)})
    assert digest(value) == digest(value)
    assert digest(other) == digest(other)


def test_cycles_have_digests_that_tell_them_apart():
    def ring(length):
        first = last = [0]
        for n in range(1, length):
            after = [n]
            last.append(after)
            last = after
        last.append(first)
        return first

    digests = [digest(ring(length)) for length in (1, 2, 3, 300)]
    assert len(set(digests)) == 4
    assert digest(ring(300)) == digests[3]
    assert digest(digest_values.friends(40)) == digest(digest_values.friends(40))


def test_deep_values_end_no_interpreter():
    program = """
    import ndcache
    def nest(wrap, depth=100_000):
        value = 0
        for _ in range(depth):
            value = wrap(value)
        return value
    class Node:
        def __init__(self, next): self.next = next
    kinds = {"list": lambda v: [v], "tuple": lambda v: (v,), "dict": lambda v: {"k": v}, "object": Node,
             "frozenset": lambda v: frozenset({v}) if not isinstance(v, frozenset) or True else v}
    for name, wrap in kinds.items():
        depth = 500 if name == "frozenset" else 100_000
        a, b = nest(wrap, depth), nest(wrap, depth)
        assert ndcache.digest(a) == ndcache.digest(b) != ndcache.digest(nest(wrap, depth - 1)), name
        print(name, flush=True)
        # Taken apart by hand: Python's own deallocation of objects recurses.
        for value in (a, b):
            while isinstance(value, Node): value.next, value = None, value.next
    """
    assert run(program).split() == ["list", "tuple", "dict", "object", "frozenset"]


def test_values_that_change_while_they_are_walked_end_no_interpreter():
    class Shrinks:
        def __init__(self, of):
            self.of = of

        def __reduce__(self):
            self.of.clear()
            return (int, ())

    for make in (list, set):
        holder = make()
        items = [Shrinks(holder) for _ in range(100)]
        holder.extend(items) if make is list else holder.update(items)
        digest(holder)
    table = {}
    table.update({n: Shrinks(table) for n in range(100)})
    digest(table)


def test_endless_values_are_refused():
    class Endless:
        def __ndcache_hash__(self):
            return Endless()

    class Same:
        def __ndcache_hash__(self):
            return self

    with pytest.raises(Unkeyable, match="itself"):
        digest(Same())
    program = """
    import ndcache, resource
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    class Endless:
        def __ndcache_hash__(self): return Endless()
    try: ndcache.digest(Endless())
    except (ndcache.Unkeyable, MemoryError) as error: print("refused")
    """
    assert run(program).strip() == "refused"


def test_what_has_no_digest_is_refused_with_its_place():
    import threading

    for value, place in [
        ((n for n in ()), ""),
        ({"a": [1, threading.Lock()]}, "['a'][1]"),
        (digest_values.Plain(x=(1, open(os.devnull))), ".x[1]"),
    ]:
        with pytest.raises(Unkeyable) as caught:
            digest(value)
        assert place in str(caught.value)


def test_errors_of_the_users_methods_are_causes_and_interrupts_pass():
    class Bad:
        def __reduce__(self):
            raise ValueError("on purpose")

    class Stops:
        def __reduce__(self):
            raise KeyboardInterrupt

    with pytest.raises(Unkeyable, match="on purpose") as caught:
        digest([Bad()])
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(KeyboardInterrupt):
        digest([Stops()])


def test_the_user_says_what_counts_of_a_type():
    class Handle:
        def __init__(self, name, handle):
            self.name, self.handle = name, handle

        def __ndcache_hash__(self):
            return self.name

    assert digest(Handle("a", object())) == digest(Handle("a", object())) != digest(Handle("b", None))
    assert digest(Handle("a", None)) != digest("a")

    class Tensor:
        def __init__(self, data):
            self.data, self.lock = data, __import__("threading").Lock()

    class Special(Tensor):
        pass

    with pytest.raises(Unkeyable):
        digest(Tensor([1]))
    ndcache.register_hasher(Tensor, lambda tensor: tensor.data)
    assert digest(Tensor([1])) == digest(Tensor([1])) != digest(Tensor([2]))
    assert digest(Special([1])) != digest(Tensor([1]))
    with pytest.raises(TypeError, match="digest of its own"):
        ndcache.register_hasher(list, len)


def test_a_hasher_is_registered_by_a_decorator_too():
    class Handle:
        def __init__(self, name):
            self.name, self.lock = name, threading.Lock()

    @ndcache.register_hasher(Handle)
    def of_handle(handle):
        return handle.name

    assert of_handle(Handle("a")) == "a"
    assert digest(Handle("a")) == digest(Handle("a")) != digest(Handle("b"))
    with pytest.raises(TypeError, match="digest of its own"):
        ndcache.register_hasher(list)(len)


def test_hash_has_joblibs_equalities():
    joblib = pytest.importorskip("joblib")
    samples = [1, 1.0, "a", b"a", None, [1], (1,), {1: 1}, {1}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, np.arange(3), np.arange(3.0), [np.arange(3)], len, True]
    for a, b in itertools.combinations(samples, 2):
        if joblib.hash(a) == joblib.hash(b):
            assert ndcache.hash(a) == ndcache.hash(b), (a, b)
        elif not (isinstance(a, dict) and isinstance(b, dict)):
            assert ndcache.hash(a) != ndcache.hash(b), (a, b)


class _ByName:
    """Says that it would be pickled as a name of its module."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return self.name


SINGLETON = _ByName("SINGLETON")


def test_what_would_be_pickled_as_another_objects_name_has_no_digest():
    assert digest(SINGLETON) == digest(SINGLETON)
    for name in ("SINGLETON", "nowhere"):
        with pytest.raises(Unkeyable, match=f"`{name}`, by which something else is found"):
            digest(_ByName(name))
