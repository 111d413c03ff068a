"""What the documents and the docstrings show must work."""

import doctest
import importlib
import os
import pathlib
import pkgutil
import re
import subprocess

import pytest

import pystream
from conftest import run_script

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = ["pystream"] + [
    module.name for module in pkgutil.walk_packages(pystream.__path__, "pystream.") if not module.name.endswith("._core")
]


def blocks(page, kind):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_every_public_name_has_a_docstring():
    for name in pystream.__all__:
        value = getattr(pystream, name)
        if callable(value) and not isinstance(value, type(pystream.StageCallable)):
            assert value.__doc__, name
    for name, value in vars(pystream.Pipeline).items():
        if callable(value) and not name.startswith("_"):
            assert value.__doc__, f"Pipeline.{name}"


PAGES = ["README.md", *(f"src/docs/{page.name}" for page in sorted((ROOT / "src/docs").glob("*.md")))]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_python_blocks_run(page, tmp_path, monkeypatch):
    pytest.importorskip("numpy")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__page__"}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), namespace)  # those of a page build on each other


def test_the_plan_of_the_page_runs(tmp_path):
    coord = os.environ.get("PYSTREAM_COORD")
    if coord is None:
        pytest.skip("PYSTREAM_COORD does not name pystream-coord")
    (plan,) = [block for block in blocks("src/docs/python.md", "json") if "libpystream_python.so" in block]
    (tmp_path / "plan.json").write_text(plan)
    (tmp_path / "stages.py").write_text("def longest(line):\n    return max(line.split(), key=len)\n")
    (tmp_path / "words.txt").write_text("a few words\nand more\n")
    done = subprocess.run([coord, "run", "plan.json"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "longest.txt").read_text() == "words\nmore\n"


def test_types_are_strict():
    mypy = pytest.importorskip("mypy.api")
    out, errors, code = mypy.run(["--strict", "--cache-dir", os.devnull, str(ROOT / "src/python/pystream")])
    assert code == 0, out + errors


@pytest.mark.parametrize(("name", "arguments"), [("convolution", ["6", "1"]), ("mixed", []), ("tracker", [])])
def test_examples_run(name, arguments):
    if name == "convolution":
        pytest.importorskip("cv2")
    done = run_script(
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
        ROOT / f"tests/examples/python/{name}.py",
        *arguments,
    )
    assert done.returncode == 0, done.stderr
