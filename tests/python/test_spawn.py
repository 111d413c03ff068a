"""Stages in fresh interpreters, and in plan files."""

import json
import os
import subprocess

import pytest

import pystream
from conftest import ALL, DEADLINE, run_all
from pystream import Pipeline, Registered, Stage

SPAWN = {**ALL, "start_method": "spawn"}
COORD = os.environ.get("PYSTREAM_COORD")


def pid_of(_):
    return os.getpid()


class Count(Stage):
    def __init__(self, start=0):
        self.number = start

    def __call__(self, data):
        self.number += 1
        return self.number

    def cleanup(self):
        pass


def test_stages_run_in_fresh_interpreters(pipeline):
    pipeline.add(pid_of)
    pipeline.add(lambda pid: (pid, os.getpid(), os.path.basename(os.readlink("/proc/self/exe"))))
    pipeline.parallelize(**SPAWN)
    ((first, second, program),) = run_all(pipeline, [None])
    assert len({first, second, os.getpid()}) == 3
    assert program == "pystream-worker"


def test_objects_and_arrays_go_through_them(pipeline):
    np = pytest.importorskip("numpy")
    offset = 5
    pipeline.add(Count(10), "Count")
    pipeline.add(lambda number: np.full(1000, number + offset))
    pipeline.add(lambda array: {"sum": array.sum(), "array": array}, zero_copy=True)
    pipeline.parallelize(**SPAWN)
    results = run_all(pipeline, [None] * 3)
    assert [result["sum"] for result in results] == [16000, 17000, 18000]


def test_sources_and_sinks_too(tmp_path):
    path = str(tmp_path / "out")

    def write(item):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{item}\n")

    pipeline = Pipeline()
    pipeline.source(range(5))
    pipeline.add(lambda x: x * x)
    pipeline.sink(write)
    pipeline.run(start_method="spawn")
    assert (tmp_path / "out").read_text().split() == ["0", "1", "4", "9", "16"]


def test_an_exception_has_its_traceback(pipeline):
    def divide(x):
        return 1 // x

    pipeline.add(divide, "Divide")
    pipeline.parallelize(start_method="spawn", results="all", capacity=16)
    assert pipeline.forward(0)
    assert pipeline.drain(DEADLINE)
    (letter,) = pipeline.dead_letters()
    assert "ZeroDivisionError" in letter.reason
    assert "in divide" in letter.reason
    assert letter.item == 0


def test_what_cannot_be_pickled_says_so(pipeline):
    import threading

    lock = threading.Lock()
    pipeline.add(lambda x: lock, "Locked")
    with pytest.raises(pystream.PipelineInitiationError, match='stage .Locked. cannot be pickled.*start_method="spawn"'):
        pipeline.parallelize(**SPAWN)


def test_a_start_method_that_there_is_not_is_refused(pipeline):
    pipeline.add(lambda x: x)
    with pytest.raises(ValueError, match="expected \"fork\" or \"spawn\""):
        pipeline.parallelize(start_method="forkserver")


STAGES = '''
import numpy
import pystream

def words(line):
    """Several outputs for one item."""
    yield from line.split()

class Number(pystream.Stage):
    def __init__(self, start):
        self.array = numpy.array([start])
    def __call__(self, word):
        return self.array, word
    def cleanup(self):
        pass

def text(pair):
    return f"{int(pair[0][0])} {pair[1]}"
'''


@pytest.fixture
def plan(tmp_path):
    pytest.importorskip("numpy")
    (tmp_path / "stages.py").write_text(STAGES)
    lines = [f"line {number} has five words" for number in range(2000)]
    (tmp_path / "in").write_text("\n".join(lines) + "\n")

    def python(name, call, **params):
        return {"name": name, "type": "python", "params": {"module": str(tmp_path / "stages.py"), "call": call, **params}}

    return {
        "plugins": ["libpystream_python.so"],
        "source": {"type": "lines", "params": {"path": str(tmp_path / "in")}},
        "stages": [
            python("Words", "words", takes="text"),
            python("Number", "Number", arguments={"start": 7}),
            python("Text", "text", gives="text"),
        ],
        "sink": {"type": "file_writer", "params": {"path": str(tmp_path / "out"), "newline": "always"}},
        "restarts": {"max_restarts": 100000},
    }


def run_plan(plan, tmp_path, command=("run",)):
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    return subprocess.run(
        [COORD, *command, str(tmp_path / "plan.json")],
        capture_output=True,
        text=True,
        timeout=3 * DEADLINE,
        check=False,
    )


needs_coord = pytest.mark.skipif(COORD is None, reason="PYSTREAM_COORD does not name pystream-coord")


@needs_coord
def test_a_plan_mixes_stages_of_both(plan, tmp_path):
    done = run_plan(plan, tmp_path)
    assert done.returncode == 0, done.stderr
    out = (tmp_path / "out").read_text().splitlines()
    assert out[:3] == ["7 line", "7 0", "7 has"]
    assert len(out) == 10000


@needs_coord
def test_chaos_does_not_change_a_byte(plan, tmp_path):
    """The command runs the plan undisturbed, too, and compares what the sink wrote."""
    done = run_plan(plan, tmp_path, command=("chaos", "--kills", "40", "--seed", "3", "--verify"))
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


@needs_coord
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"call": "nothing"}, 'has no "nothing"'),
        ({"module": "/nowhere/stages.py"}, "there is none at /nowhere/stages.py"),
        ({"module": None}, 'found no "module" or no "call"'),
        ({"arguments": {"begin": 1}, "call": "Number"}, "unexpected keyword argument 'begin'"),
    ],
)
def test_a_wrong_stage_says_what_is_wrong(plan, tmp_path, params, message):
    plan["stages"][0]["params"].update(params)
    plan["stages"][0]["params"] = {name: value for name, value in plan["stages"][0]["params"].items() if value is not None}
    done = run_plan(plan, tmp_path)
    assert done.returncode == 1
    assert message in done.stderr


@needs_coord
def test_its_types_are_described():
    done = subprocess.run(
        [COORD, "stages", "--plugin", "libpystream_python.so", "python"], capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    assert "calls a function or an object of Python" in done.stdout
