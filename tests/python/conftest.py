"""What the tests of the package share."""

import os
import pathlib
import subprocess
import sys
import textwrap
import time

import pytest

import pystream

DEADLINE = 60  # seconds; far beyond what any of these tests needs, even on a busy machine


@pytest.fixture(autouse=True)
def profiler_folder(tmp_path, monkeypatch):
    """Each test has a profile database of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    pystream.set_profiler_db_folder(tmp_path / "profiles")


@pytest.fixture
def pipeline():
    made = pystream.Pipeline()
    yield made
    made.cleanup()


def wait_until(condition):
    """Looks again and again until the condition holds."""
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.001)


def run_all(pipeline, items):
    """Sends the items through a pipeline that was started with ALL, and gives all results. Fewer are in flight than the
    pipeline holds, so that this needs no thread of its own."""
    results = []
    sent = 0
    for item in items:
        assert pipeline.forward(item)
        sent += 1
        results += pipeline.get_all_results() if sent - len(results) > 2 else []
    while len(results) < sent:
        more = pipeline.get_all_results()
        assert more, f"{len(results)} of {sent} results came"
        results += more
    return results


ALL = {"results": "all", "block_output": True, "output_timeout": DEADLINE, "input_timeout": DEADLINE}


def run_script(text, *arguments, **options):
    """Runs a program of its own; gives back what became of it."""
    script = textwrap.dedent(text)
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(pystream.__file__).parent.parent)}
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=False,
        **options,
    )


def is_alive(pid):
    """Whether the process runs (a zombie does not)."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
