"""joblib's and scikit-learn's own tests, as they are installed, with ndcache's classes under joblib's names."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import joblib
import ndcache
import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
EXPECTED = json.loads((HERE / "joblib.json").read_text())


def outcomes(folder: pathlib.Path, *arguments: str) -> dict[str, bool]:
    """Runs tests of an installed package, and returns which of them passed."""
    report = folder / "report.xml"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(HERE)])}
    command = [sys.executable, "-m", "pytest", "-p", "joblib_names", "-p", "no:cacheprovider", "-q", "--tb=no", f"--junitxml={report}"]
    subprocess.run([*command, "--pyargs", *arguments], cwd=folder, env=env, capture_output=True, timeout=900)
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        cls = re.search(r"\.(Test\w+)$", case.get("classname", ""))
        name = f"{cls.group(1)}::{case.get('name')}" if cls else str(case.get("name"))
        if case.find("skipped") is None:
            found[name] = case.find("failure") is None and case.find("error") is None
    return found


@pytest.fixture(scope="module")
def of_joblib(tmp_path_factory):
    return outcomes(tmp_path_factory.mktemp("joblib"), "joblib.test.test_memory", "joblib.test.test_memory_async")


def test_joblibs_tests_of_its_memory_pass(of_joblib):
    assert len(of_joblib) == EXPECTED["of"], "another release of joblib has other tests: revise joblib.json"
    assert sum(of_joblib.values()) >= EXPECTED["passing"], sorted(name for name, passed in of_joblib.items() if not passed)


@pytest.mark.parametrize("name", [name for name, why in EXPECTED["fail with a memory that never hits"].items() if why == "must pass"])
def test_joblibs_test_of_hits_passes(of_joblib, name):
    assert of_joblib[name]


def test_what_fails_is_listed_with_its_reason(of_joblib):
    listed = {name for name, why in EXPECTED["fail with a memory that never hits"].items() if why != "must pass"}
    assert {name for name, passed in of_joblib.items() if not passed} == listed | EXPECTED["others that fail"].keys()


def test_scikit_learns_tests_of_memories_pass(tmp_path):
    found = outcomes(tmp_path, "sklearn.tests.test_pipeline", "sklearn.utils.tests.test_validation", "-k", "memory or cache or caching")
    assert len(found) >= 4 and all(found.values()), found
    assert "test_pipeline_memory" in found


def test_nilearn_takes_the_memory(tmp_path):
    nibabel, maskers = pytest.importorskip("nibabel"), pytest.importorskip("nilearn.maskers")
    memory = ndcache.Memory(tmp_path, verbose=0)
    data = np.random.default_rng(0).normal(size=(6, 6, 6, 5)).astype("f4")
    image = nibabel.Nifti1Image(data, np.eye(4))
    mask = nibabel.Nifti1Image(np.ones((6, 6, 6), "i1"), np.eye(4))

    def transformed():
        masker = maskers.NiftiMasker(mask_img=mask, memory=memory, memory_level=5, standardize=None, verbose=0)
        return masker.fit_transform(image)

    first = transformed()
    before = memory.stats()
    assert np.array_equal(first, transformed())
    after = memory.stats()
    assert after["hits"] > before["hits"] and after["misses"] == before["misses"]


def test_a_memory_is_joblibs_by_isinstance(tmp_path):
    import joblib.memory
    import ndcache.joblib

    memory = ndcache.Memory(tmp_path, verbose=0)
    assert isinstance(memory, joblib.Memory) and isinstance(memory, ndcache.Memory)
    assert isinstance(memory.cache(abs).call_and_shelve(1), joblib.memory.MemorizedResult)
    real = ndcache.joblib.Memory(tmp_path, verbose=0)
    assert issubclass(type(real), joblib.Memory) and issubclass(type(real), ndcache.Memory)
    real.cache(abs)(-2)
    assert memory.cache(abs).check_call_in_cache(-2)


def squared(x):
    return x * x


def test_attributes_that_programs_read_of_joblibs_objects_are_there(tmp_path):
    memory = ndcache.Memory(tmp_path / "c", verbose=0, compress=3)
    theirs = joblib.Memory(tmp_path / "j", verbose=0, compress=3)
    for name in ("backend", "backend_options", "compress", "mmap_mode", "_verbose"):
        assert getattr(memory, name) == getattr(theirs, name), name
    cached, plain = memory.cache(squared, ignore=[]), ndcache.Memory(None).cache(squared)
    its = theirs.cache(squared)
    for name in ("func", "ignore", "mmap_mode", "compress", "cache_validation_callback", "_verbose"):
        assert getattr(cached, name) == getattr(its, name), name
    assert cached.timestamp == memory.timestamp > 1.7e9 and cached.backend == "local"
    assert plain.store_backend is None and plain.mmap_mode is None
    callback = ndcache.expires_after(days=1)
    assert memory.cache(squared, cache_validation_callback=callback).cache_validation_callback is callback
    reference = cached.call_and_shelve(3)
    found, said = reference.metadata, its.call_and_shelve(3).metadata
    assert found.keys() == said.keys() and found["input_args"] == said["input_args"] == {"x": "3"}
    assert reference.duration == found["duration"] >= 0 and reference.mmap_mode is None and reference.verbose == 0
    assert reference.timestamp == memory.timestamp
    reference.clear()
    assert reference.metadata == {} and reference.duration is None
    kept = plain.call_and_shelve(3)
    assert (kept.value, kept.valid) == (9, True)
    kept.clear()
    assert (kept.value, kept.valid) == (None, False)


def test_what_programs_do_with_joblibs_store_goes_on(tmp_path):
    memory = ndcache.Memory(tmp_path, verbose=0)
    cached = memory.cache(squared)
    missing = cached._get_output_identifiers(4)
    assert not cached.store_backend.contains_item(missing) and cached.store_backend.get_metadata(missing) == {}
    assert not cached._is_in_cache_and_valid(missing) and len(cached._get_argument_hash(4)) == 32
    assert [cached(n) for n in (3, 4)] == [9, 16] and cached._check_previous_func_code(stacklevel=4)
    found = {}
    for item in memory.store_backend.get_items():
        path = os.path.split(os.path.relpath(item.path, start=memory.store_backend.location))
        store = memory.store_backend
        assert store.contains_item(path)
        found[store.get_metadata(path)["input_args"]["x"]] = store.load_item(path)
    assert found == {"3": 9, "4": 16}
    identifiers = cached._get_output_identifiers(4)
    assert cached.store_backend.contains_item(identifiers) and cached._is_in_cache_and_valid(identifiers)
    cached.store_backend.clear_item(identifiers)
    assert not cached.check_call_in_cache(4) and cached.check_call_in_cache(3)


@pytest.mark.parametrize(("of", "name", "instead"), [
    ("memory", "cachedir", "location"), ("memory", "bytes_limit", "limits="), ("memory", "warn", "getLogger"),
    ("function", "func_code_info", "f.code()"), ("function", "_load_item", "ndcache.read"), ("store", "clear_location", "Memory.clear"),
    ("store", "dump_item", "stores what it returns"), ("reference", "nonsense", ""), ("memory", "nonsense", ""), ("function", "nonsense", ""),
])  # fmt: skip
def test_an_attribute_that_isnt_there_is_told_with_what_to_use(tmp_path, of, name, instead):
    memory = ndcache.Memory(tmp_path, verbose=0)
    function = memory.cache(squared)
    owner = {"memory": memory, "function": function, "store": memory.store_backend, "reference": function.call_and_shelve(1)}[of]
    assert not hasattr(owner, name)
    with pytest.raises(AttributeError, match=f"has no attribute `{name}`") as raised:
        getattr(owner, name)
    assert instead in str(raised.value) and ("joblib" in str(raised.value)) == bool(instead)


@pytest.mark.parametrize("name", ["verbose", "mmap_mode", "compress", "location", "cachedir", "store_backend", "limits", "mode"])
def test_a_setting_that_is_assigned_says_that_it_takes_another_memory(tmp_path, name):
    memory = ndcache.Memory(tmp_path, verbose=0)
    with pytest.raises(AttributeError, match="make another memory, `Memory"):
        setattr(memory, name, "x")
    with pytest.raises(AttributeError, match="make another memory"):
        memory.store_backend.location = "elsewhere"
    memory.note = "of the user's"
    assert memory.note == "of the user's"


def test_attributes_of_a_users_function_are_those_of_the_cached_one(tmp_path):
    def f(x):
        return x

    f.compress, f.timestamp = "mine", 7
    cached = ndcache.Memory(tmp_path, verbose=0).cache(f)
    assert (cached.compress, cached.timestamp) == ("mine", 7)


INSTALLED = """
import warnings
import joblib
import joblib.memory
import ndcache.joblib

ndcache.joblib.install()
ndcache.joblib.install()
from joblib import Memory, register_store_backend
assert register_store_backend is joblib.memory.register_store_backend

class Mine(joblib._store_backends.StoreBackendBase):
    pass

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    register_store_backend(backend_name="mine", backend=Mine)
(said,) = said
assert said.category is ndcache.CacheWarning and said.filename == __file__, said
assert "`mine` is registered with joblib alone" in str(said.message) and "remote=" in str(said.message), said
assert joblib.memory._STORE_BACKENDS["mine"] is Mine
for wrong in ((3, Mine), ("mine", object)):
    try:
        register_store_backend(*wrong)
    except ValueError:
        continue
    raise AssertionError(wrong)
try:
    Memory("x", backend="mine")
except TypeError as error:
    assert "by tiers" in str(error), error
else:
    raise AssertionError("a backend was taken")
"""


def test_a_backend_that_is_registered_after_install_is_warned_about_with_a_remedy(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(INSTALLED)
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SAMPLE = np.arange(12.0).reshape(3, 4)


class Holder:
    def __init__(self, value):
        self.value = value

    def of(self):
        return self.value

    def other(self):
        return None


@pytest.mark.parametrize(
    ("one", "two", "equal"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        ("a", b"a", False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({1, 2, 3}, {3, 2, 1}, True),
        (frozenset("abc"), frozenset("cba"), True),
        ([1, 2], (1, 2), False),
        (SAMPLE, SAMPLE.copy(), True),
        (SAMPLE, SAMPLE.astype("f4"), False),
        (SAMPLE, SAMPLE.ravel(), False),
        (SAMPLE, np.asfortranarray(SAMPLE), False),
        (np.array(1.0), np.array([1.0]), False),
        (np.datetime64("2020-01-01"), np.datetime64("2020-01-02"), False),
        (np.array(["2020"], "M8[Y]"), np.array(["2020"], "M8[Y]"), True),
        ([{"a": SAMPLE}, SAMPLE], [{"a": SAMPLE.copy()}, SAMPLE], True),
        (np.dtype("f8"), np.dtype("f8"), True),
        (np.dtype("f8"), np.dtype("f4"), False),
        (len, len, True),
        (len, abs, False),
        (SAMPLE, SAMPLE[:, ::2], False),
        (SAMPLE[:, ::2], SAMPLE[:, ::2].copy(), True),
        (SAMPLE[1:], SAMPLE[1:].copy(), True),
        (SAMPLE.T, SAMPLE.T.copy(order="F"), True),
        (np.array(["a", [1]], object), np.array(["a", [1]], object), True),
        (np.array(["a", [1]], object), np.array(["a", [2]], object), False),
        (np.array(["a", 1], object), ["a", 1], False),
        ({"a": 1, 1: "a", None: 2.0, (1, "b"): 3}, {(1, "b"): 3, None: 2.0, 1: "a", "a": 1}, True),
        ({1, "a", None, (1, 2)}, {(1, 2), None, "a", 1}, True),
        (Holder(SAMPLE), Holder(SAMPLE.copy()), True),
        (Holder(SAMPLE), Holder(SAMPLE + 1), False),
        (Holder(SAMPLE).of, Holder(SAMPLE).of, True),
        (Holder(SAMPLE).of, Holder(SAMPLE + 1).of, False),
        (Holder(SAMPLE).of, Holder(SAMPLE).other, False),
    ],
)
def test_equalities_of_hashes_are_joblibs(one, two, equal):
    """joblib's `test_hashing` demands this. Where equal values are other objects, only ndcache finds them equal."""
    assert (ndcache.hash(one) == ndcache.hash(two)) == equal
    is_strided = isinstance(one, np.ndarray) and not one.flags.forc
    if not (equal and (isinstance(one, (list, frozenset)) or is_strided)):
        assert (joblib.hash(one) == joblib.hash(two)) == equal


def test_a_mapped_array_has_the_hash_of_its_elements(tmp_path):
    np.save(tmp_path / "a.npy", SAMPLE)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert type(mapped) is np.memmap
    # joblib does the same if `coerce_mmap` is set. Here the option is accepted, and changes nothing.
    assert ndcache.hash(mapped) == ndcache.hash(SAMPLE) == ndcache.hash(mapped, coerce_mmap=True)
    assert joblib.hash(mapped, coerce_mmap=True) == joblib.hash(SAMPLE)
    assert ndcache.hash(mapped, hash_name="sha1") == ndcache.hash(SAMPLE, "md5")
