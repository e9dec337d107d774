"""Which release of an installed package code counts by."""

from test_programs_a import run

PROGRAM = """
sys.path.append(os.path.join(os.getcwd(), "site-packages"))
import {module}
@memory.cache
def f(x):
    count()
    return {module}.work(x)
print(json.dumps([f(2), f.why]))
"""


def installed(name, version, *files):
    """Returns the files that pip would write for a distribution with these files."""
    folder = f"site-packages/{name.replace('-', '_')}-{version}.dist-info"
    listed = [*files, f"{folder.partition('/')[2]}/METADATA", f"{folder.partition('/')[2]}/RECORD"]
    return {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{folder}/RECORD": "".join(f"{file},,\n" for file in listed),
    }


def upgrade(folder, name, old, new, *files):
    """Replaces a distribution by another release of it."""
    for file in installed(name, old):
        (folder / file).unlink()
    (folder / file).parent.rmdir()
    for file, text in installed(name, new, *files).items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text)


def test_a_release_is_that_of_the_distribution_which_owns_the_module(tmp_path):
    """On PyPI, `sklearn` and `bs4` are empty distributions, which many environments have beside the real ones."""
    program = PROGRAM.format(module="learning")
    code = {"site-packages/learning/__init__.py": "def work(x): return x\n"}
    real = ("scikit-learning", "1.0", "learning/__init__.py")
    assert run(tmp_path, program, {**code, **installed(*real), **installed("learning", "0.0")}) == ([2, "new function"], 1)
    assert run(tmp_path, program) == ([2, ""], 0)
    upgrade(tmp_path, "scikit-learning", "1.0", "1.1", "learning/__init__.py")
    (value, why), computed = run(tmp_path, program, {"site-packages/learning/__init__.py": "def work(x): return x * 7\n"})
    assert (value, computed) == (14, 1)
    assert "version of `scikit-learning` changed" in why


def test_a_release_in_a_namespace_is_that_of_the_distribution_which_owns_the_module(tmp_path):
    """Several distributions share a namespace: `google`, `azure`, `nvidia`."""
    program = PROGRAM.format(module="cloudy.storage.client")
    files = {
        "site-packages/cloudy/auth/__init__.py": "",
        "site-packages/cloudy/storage/__init__.py": "",
        "site-packages/cloudy/storage/client.py": "def work(x): return x\n",
        **installed("cloudy-auth", "1.0", "cloudy/auth/__init__.py"),
        **installed("cloudy-storage", "1.0", "cloudy/storage/__init__.py", "cloudy/storage/client.py"),
    }
    assert run(tmp_path, program, files) == ([2, "new function"], 1)
    upgrade(tmp_path, "cloudy-auth", "1.0", "1.1", "cloudy/auth/__init__.py")
    assert run(tmp_path, program) == ([2, ""], 0)
    upgrade(tmp_path, "cloudy-storage", "1.0", "1.1", "cloudy/storage/__init__.py", "cloudy/storage/client.py")
    changed = {"site-packages/cloudy/storage/client.py": "def work(x): return x * 7\n"}
    (value, why), computed = run(tmp_path, program, changed)
    assert (value, computed) == (14, 1)
    assert "version of `cloudy-storage` changed" in why


def test_a_distribution_without_a_list_of_its_files_owns_the_module_of_its_name(tmp_path):
    """Debian leaves out the list; older distributions name their modules in `top_level.txt`."""
    program = PROGRAM.format(module="told")
    folder = "site-packages/teller-{}.dist-info/"
    metadata = "Metadata-Version: 2.1\nName: teller\nVersion: {}\n"
    files = {"site-packages/told.py": "def work(x): return x\n", folder.format("1.0") + "METADATA": metadata.format("1.0")}
    files[folder.format("1.0") + "top_level.txt"] = "other\ntold\n"
    assert run(tmp_path, program, files) == ([2, "new function"], 1)
    (tmp_path / folder.format("1.0") / "METADATA").write_text(metadata.format("1.1"))
    (value, why), computed = run(tmp_path, program)
    assert (value, computed) == (2, 1)
    assert "version of `teller` changed" in why


def test_a_folder_that_an_interrupted_pip_left_is_passed_over(tmp_path):
    program = PROGRAM.format(module="left")
    files = {"site-packages/left/__init__.py": "def work(x): return x\n", **installed("left", "1.0", "left/__init__.py")}
    (tmp_path / "site-packages" / "left-0.9.dist-info").mkdir(parents=True)
    assert run(tmp_path, program, files) == ([2, "new function"], 1)
    assert run(tmp_path, program) == ([2, ""], 0)


def test_of_two_distributions_that_contain_one_module_both_count(tmp_path):
    """Either may have written the files last: `opencv-python` and `opencv-python-headless`."""
    program = PROGRAM.format(module="seen")
    code = {"site-packages/seen/__init__.py": "def work(x): return x\n"}
    first, second = ("seen-python", "1.0", "seen/__init__.py"), ("seen-python-headless", "1.0", "seen/__init__.py")
    assert run(tmp_path, program, {**code, **installed(*first), **installed(*second)}) == ([2, "new function"], 1)
    assert run(tmp_path, program) == ([2, ""], 0)
    upgrade(tmp_path, "seen-python-headless", "1.0", "1.1", "seen/__init__.py")
    assert run(tmp_path, program, {"site-packages/seen/__init__.py": "def work(x): return x * 7\n"})[0][0] == 14
