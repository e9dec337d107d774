"""Files as arguments, looked at once more when the function has returned."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import warnings

import ndcache
import pytest
from ndcache import FileContent, FileStamp


@dataclasses.dataclass
class Held:
    file: object


class Hashed:
    def __init__(self, file):
        self.file = file

    def __ndcache_hash__(self):
        return [self.file]


def _of_file(value):
    """The path of the file that lies somewhere in a value."""
    while not isinstance(value, (FileContent, FileStamp, str)):
        if isinstance(value, dict):
            value = next(iter(value.values()))
        elif isinstance(value, (list, tuple)):
            value = value[0]
        elif isinstance(value, functools.partial):
            value = value.args
        else:
            value = value.file
    return getattr(value, "path", value)


PLACES = {
    "itself": lambda file: file,
    "list": lambda file: [file, 1],
    "tuple": lambda file: (file, file),
    "dict": lambda file: {"a": [file]},
    "dataclass": Held,
    "hasher": Hashed,
    "partial": lambda file: functools.partial(print, file),
}


@pytest.fixture(params=["young", "old"])
def file(tmp_path, request):
    """A file; an old one is known by its times alone."""
    path = tmp_path / "data.csv"

    def write(text, path=path):
        path.write_text(text)
        if request.param == "old":
            os.utime(path, (1e9, 1e9 + len(text)))
        return path

    return write


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", [FileContent, FileStamp])
def test_a_file_that_changes_before_the_function_returns_has_no_result(memory, file, kind, place, tmp_path):
    runs = []

    def read(value):
        runs.append(value)
        if later:
            file(later.pop())
        return pathlib.Path(_of_file(value)).read_text()

    f = memory.cache(read, name="read", code="version", version=1)
    later = []
    value = PLACES[place](kind(file("old")))
    file("new!")
    with pytest.warns(ndcache.CacheWarning, match="was changed after the argument was made of it"):
        assert f(value) == "new!"
    assert not f.check_call_in_cache(value), "changed before it ran"
    later, before = ["during"], PLACES[place](kind(file("before")))
    assert f(before) == "during"
    assert not f.check_call_in_cache(before), "changed while it ran"
    if kind is FileContent:
        assert f(PLACES[place](kind(file("old", tmp_path / "copy.csv")))) == "old"
    still = PLACES[place](kind(file("still")))
    assert f(still) == f(still) == "still" and len(runs) == (4 if kind is FileContent else 3)


@pytest.mark.parametrize("way", ["positional", "named", "default", "global", "method", "key", "both", "awaited"])
def test_a_file_counts_wherever_the_call_has_it_from(memory, tmp_path, way):
    import asyncio

    path, copy = tmp_path / "data.csv", tmp_path / "copy.csv"
    path.write_text("first")
    state = {"later": "second"}

    def text_of(file):
        if state["later"]:
            path.write_text(state["later"])
            state["later"] = None
        return pathlib.Path(getattr(file, "path", file)).read_text()

    options = dict(name="read", depends=(), ignore_globals=["text_of", "state"])
    if way == "positional":
        read = memory.cache(lambda *files: text_of(files[0]), **options)
        call = lambda p: read(FileContent(p))
    elif way == "named":
        read = memory.cache(lambda **files: text_of(files["a"]), **options)
        call = lambda p: read(a=FileContent(p))
    elif way == "default":
        made = {p: FileContent(p) for p in (path,)}

        def call(p):
            file = made.pop(p, None) or FileContent(p)

            def read(x, file=file):
                return text_of(file)

            return memory.cache(read, **options)(1)
    elif way == "global":

        def call(p):
            file = FileContent(p)
            return memory.cache(lambda x: text_of(file), **options)(1)
    elif way == "method":

        class Reader:
            def __init__(self, file):
                self.file = file

            @functools.partial(memory.cache, **options)
            def read(self):
                return text_of(self.file)

        call = lambda p: Reader(FileContent(p)).read()
    elif way == "awaited":

        async def read(file):
            await asyncio.sleep(0)
            return text_of(file)

        read = memory.cache(read, **options)
        call = lambda p: asyncio.run(read(FileContent(p)))
    else:
        key = FileContent if way == "key" else lambda p: (len(str(p)), FileContent(p))
        read = memory.cache(lambda p: text_of(p), key={"p": key}, **options)
        call = read
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert call(path) == "second"
        copy.write_text("first")
        assert call(copy) == "first", "what was read of another content"
        assert call(path) == "second"
        state["later"] = "changed while it hits"
        assert call(path) == "second", "it is stored now"


def test_results_of_stamps_go_to_no_tier(tmp_path):
    program = """
        import sys, ndcache
        memory = ndcache.Memory(sys.argv[1], verbose=0, remote="rw:" + sys.argv[2], share="any")
        @memory.cache
        def by_stamp(files): return "stamp"
        @memory.cache
        def by_content(files): return "content"
        by_stamp(ndcache.FileStamp(sys.argv[3])), by_stamp([ndcache.FileStamp(sys.argv[3])])
        by_content([ndcache.FileContent(sys.argv[3])])
        memory.flush(30)
    """
    from support import run

    file = tmp_path / "data.csv"
    file.write_text("1")
    run(program, tmp_path / "one", tmp_path / "team", file)
    sent = [str(path) for path in (tmp_path / "team").rglob("*.record") if path.parent.name != "code"]
    assert len(sent) == 1 and "by_content" in sent[0]


def test_a_warning_of_a_changed_file_names_it_and_the_function(memory, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("1")

    @memory.cache
    def appends(file):
        with open(file, "a") as out:
            out.write("2")
        return 1

    with pytest.warns(ndcache.CacheWarning, match=r"appends: the result isn't stored.*data\.csv` was changed"):
        appends(FileContent(path))
    assert memory.stats()["faults"] == 1


REACHED = {
    "global": "FILE = {kind}(PATH)\ndef f(x): return open(FILE).read()",
    "attribute": "FILE = {kind}(PATH)\ndef f(x): return open(FILE.path).read()",
    "list": "FILES = [{kind}(PATH)]\ndef f(x): return open(FILES[0]).read()",
    "default of a helper": "def g(file={kind}(PATH)): return open(file).read()\ndef f(x): return g()",
    "closure": "def made(file):\n    def f(x): return open(file).read()\n    return f\nf = made({kind}(PATH))",
    "class": "class C:\n    FILE = {kind}(PATH)\ndef f(x): return open(C.FILE).read()",
    "instance": "class C: pass\nc = C()\nc.file = {kind}(PATH)\ndef f(x): return open(c.file).read()",
    "partial": "import functools\ndef g(file): return open(file).read()\nh = functools.partial(g, {kind}(PATH))\ndef f(x): return h()",
}


@pytest.mark.parametrize(("place", "kind"), [*((place, "FileContent") for place in REACHED), ("global", "FileStamp")])
def test_a_file_that_reached_code_holds_counts_by_its_content(tmp_path, place, kind):
    from support import answer

    program = f"""
import json, sys, warnings
import ndcache
PATH = sys.argv[2]
{REACHED[place].format(kind="ndcache." + kind)}
memory = ndcache.Memory(sys.argv[1], verbose=0)
warnings.simplefilter("error")
f = memory.cache(f, name="f")
hits = f.check_call_in_cache(1)
print(json.dumps([f(1), hits]))
"""
    file = tmp_path / "data.csv"
    file.write_text("old")
    runs = [answer(program, tmp_path / "cache", file) for _ in range(2)]
    file.write_text("new!")
    runs += [answer(program, tmp_path / "cache", file) for _ in range(2)]
    assert [text for text, _ in runs] == ["old", "old", "new!", "new!"] and not runs[2][1]
    if kind == "FileContent":  # a `FileStamp` changes once more when the file is old enough to be known by its times
        assert [hits for _, hits in runs] == [False, True, False, True]
