"""PyStream's public interface, and what its users rely on."""

import logging
import os
import threading
import time

import pytest

import pystream
from conftest import ALL, DEADLINE, run_all, wait_until
from pystream import MAIN_PIPELINE_NAME, Pipeline, Stage
from pystream.functional import func_parallel_thread, func_serial


class Append(Stage):
    """Appends a value, which its cleanup() takes away."""

    def __init__(self, value):
        self.value = value
        self.calls = 0

    def __call__(self, data):
        self.calls += 1
        return data + [self.value]

    def cleanup(self):
        self.value = None


@pytest.fixture(params=["serialize", "parallelize"])
def start(request):
    def start_pipeline(pipeline):
        if request.param == "serialize":
            return pipeline.serialize(results="all")
        return pipeline.parallelize(**ALL)

    return start_pipeline


def test_add_gives_nothing_and_fills_the_lists(pipeline):
    stage = Append(1)
    assert pipeline.add(stage, "One") is None
    assert pipeline.stages_sequence == [stage]
    assert pipeline.stage_names == ["One"]


def test_starting_gives_the_pipeline_itself(pipeline, start):
    pipeline.add(Append(1))
    assert start(pipeline) is pipeline


def test_items_go_through_all_stages_in_order(pipeline, start):
    for value in range(4):
        pipeline.add(Append(value), f"Append{value}")
    start(pipeline)
    assert pipeline.forward([]) is True
    assert pipeline.get_all_results() == [[0, 1, 2, 3]]


def test_a_result_is_given_once_and_only_the_newest(pipeline):
    pipeline.add(lambda x: x)
    pipeline.serialize()
    for item in range(3):
        pipeline.forward(item)
    assert pipeline.get_results() == 2
    assert pipeline.get_results() is None


def test_get_results_does_not_wait_by_default(pipeline):
    pipeline.add(lambda x: x)
    pipeline.parallelize()
    assert pipeline.get_results() is None


def test_get_results_waits_if_it_is_to(pipeline):
    pipeline.add(lambda x: time.sleep(0.05) or x)
    pipeline.parallelize(block_output=True, output_timeout=DEADLINE)
    pipeline.forward(5)
    assert pipeline.get_results() == 5


def test_get_results_gives_up_after_its_timeout(pipeline):
    pipeline.add(lambda x: x)
    pipeline.parallelize(block_output=True, output_timeout=0.1)
    assert pipeline.get_results() is None


def test_forward_gives_up_after_its_timeout(pipeline):
    pipeline.add(lambda x: time.sleep(DEADLINE))
    pipeline.parallelize(input_timeout=0.1, stop_timeout=0)
    assert not all(pipeline.forward(item) for item in range(20))


def test_forward_does_not_wait_if_it_is_not_to(pipeline):
    pipeline.add(lambda x: time.sleep(DEADLINE))
    pipeline.parallelize(block_input=False, stop_timeout=0)
    assert not all(pipeline.forward(item) for item in range(20))


def test_calls_before_a_start_raise(pipeline):
    pipeline.add(lambda x: x)
    for call in (pipeline.forward, pipeline.get_results, pipeline.as_stage, pipeline.status, pipeline.start_loop):
        with pytest.raises(pystream.PipelineUndefined):
            call()


def test_calls_behind_a_cleanup_raise(pipeline, start):
    pipeline.add(lambda x: x)
    start(pipeline)
    pipeline.cleanup()
    with pytest.raises(pystream.PipelineUndefined):
        pipeline.forward(1)
    pipeline.cleanup()  # does nothing


def test_an_empty_pipeline_passes_on(pipeline, start):
    start(pipeline)
    assert pipeline.forward("data")
    assert pipeline.get_results() == "data"
    assert pipeline.get_results() is None


def test_a_pipeline_can_be_started_again(pipeline, start):
    pipeline.add(lambda x: x + 1)
    for _ in range(2):
        start(pipeline)
        assert run_all(pipeline, [1, 2]) == [2, 3]
    pipeline.add(lambda x: x * 10)
    start(pipeline)
    assert run_all(pipeline, [1, 2]) == [20, 30]


def test_none_is_an_item_like_others(pipeline, start):
    pipeline.add(lambda x: [x])
    start(pipeline)
    assert run_all(pipeline, [None]) == [[None]]


@pytest.mark.parametrize("name", ["Test-Name", "Test__Name", "_TestName", "TestName_", MAIN_PIPELINE_NAME, "FinalStage", ""])
def test_names_are_checked_at_the_start(pipeline, name):
    pipeline.add(lambda x: x, name)
    for start in (pipeline.serialize, pipeline.parallelize):
        with pytest.raises(pystream.InvalidStageName):
            start()
        with pytest.raises(ValueError):
            start()


def test_names_may_hold_spaces_and_be_there_twice(tmp_path):
    pipeline = Pipeline(use_profiler=True)
    for name in ("My stage", "My stage", "Größe?"):
        pipeline.add(lambda x: x, name)
    with pipeline.parallelize(**ALL):
        run_all(pipeline, [1, 2, 3])
        assert [stage.key for stage in pipeline.status().stages] == [
            "MainPipeline__My stage",
            "MainPipeline__My stage (2)",
            "MainPipeline__Größe?",
        ]
    latency, _ = pipeline.get_profiles()
    assert set(latency) == {
        "MainPipeline",
        "MainPipeline__My stage",
        "MainPipeline__My stage (2)",
        "MainPipeline__Größe?",
    }


def test_stages_without_a_name_get_one(pipeline, start):
    unnamed, named = Append(1), Append(2)
    pipeline.add(unnamed)
    pipeline.add(named, "Named")
    start(pipeline)
    assert unnamed.name.startswith("Stage_")
    assert named.name == "Named"


def test_attributes_of_a_stage_come_back_behind_cleanup(pipeline, start):
    stages = [Append(1), Append(2)]
    for stage in stages:
        pipeline.add(stage)
    start(pipeline)
    run_all(pipeline, [[], [], []])
    pipeline.cleanup()
    assert [(stage.value, stage.calls) for stage in stages] == [(None, 3), (None, 3)]


def test_attributes_that_cannot_be_pickled_are_left_out(pipeline):
    class Keeps(Stage):
        def __call__(self, data):
            self.good = data
            self.bad = lambda: None
            return data

        def cleanup(self):
            pass

    stage = Keeps()
    pipeline.add(stage)
    pipeline.parallelize(**ALL)
    run_all(pipeline, [7])
    pipeline.cleanup()
    assert stage.good == 7
    assert not hasattr(stage, "bad")


def test_serial_mode_hands_on_the_objects_themselves(pipeline):
    seen = []
    pipeline.add(lambda x: seen.append(x) or x)
    pipeline.add(lambda x: seen.append(x) or x)
    pipeline.serialize()
    item = object()
    pipeline.forward(item)
    assert seen == [item, item]
    assert pipeline.get_results() is item


def test_serial_mode_raises_what_a_stage_raises(pipeline):
    error = KeyError("it")

    def fail(_):
        raise error

    pipeline.add(fail)
    pipeline.serialize()
    with pytest.raises(KeyError) as caught:
        pipeline.forward(1)
    assert caught.value is error
    assert "in fail" in "".join(__import__("traceback").format_tb(error.__traceback__))


def test_stages_run_in_processes_of_their_own(pipeline):
    pipeline.add(lambda _: [os.getpid()])
    pipeline.add(lambda pids: pids + [os.getpid()])
    pipeline.parallelize(**ALL)
    (pids,) = run_all(pipeline, [None])
    assert len({*pids, os.getpid()}) == 3
    assert pids == [stage.pid for stage in pipeline.status().stages]


def test_closures_and_what_they_hold_are_there_in_the_workers(pipeline):
    lock, offset = threading.Lock(), 5

    def add(x):
        with lock:
            return x + offset

    pipeline.add(add)
    pipeline.parallelize(**ALL)
    assert run_all(pipeline, [1]) == [6]


def test_the_input_generator_makes_items():
    pipeline = Pipeline(input_generator=lambda: 5)
    pipeline.add(lambda x: x + 1)
    with pipeline.serialize():
        assert pipeline.forward()
        assert pipeline.get_results() == 6


def test_a_loop_forwards_until_it_is_stopped(start):
    count = iter(range(10**9))
    pipeline = Pipeline(input_generator=lambda: next(count))
    pipeline.add(lambda x: x)
    with start(pipeline):
        pipeline.start_loop(0.001)
        results = []
        wait_until(lambda: results.extend(pipeline.get_all_results(100)) or len(results) >= 5)
        pipeline.stop_loop()
        assert results == list(range(len(results)))
        pipeline.stop_loop()


def test_cleanup_ends_a_loop(start):
    pipeline = Pipeline(input_generator=lambda: 1)
    pipeline.add(lambda x: x)
    start(pipeline)
    pipeline.start_loop(0)
    pipeline.cleanup()
    assert not any(thread.name == "pystream-loop" and thread.is_alive() for thread in threading.enumerate())


def test_what_a_generator_raises_ends_the_loop_and_is_logged(caplog, pipeline):
    failing = Pipeline(input_generator=lambda: 1 / 0)
    failing.add(lambda x: x)
    with failing.serialize():
        failing.start_loop(0)
        wait_until(lambda: "ZeroDivisionError" in caplog.text)


@pytest.mark.parametrize("outer", ["serialize", "parallelize"])
@pytest.mark.parametrize("inner", ["serialize", "parallelize"])
def test_pipelines_in_pipelines(outer, inner):
    profiled = Pipeline(use_profiler=True)
    child = Pipeline()
    stages = [Append(value) for value in range(4)]
    child.add(stages[1], "One")
    child.add(stages[2], "Two")
    getattr(child, inner)()
    profiled.add(stages[0], "Zero")
    profiled.add(child.as_stage(), "Child")
    profiled.add(stages[3], "Three")
    options = ALL if outer == "parallelize" else {"results": "all"}
    with getattr(profiled, outer)(**options):
        assert run_all(profiled, [[], []]) == [[0, 1, 2, 3]] * 2
    latency, throughput = profiled.get_profiles()
    keys = ["", "__Zero", "__Child", "__Child__One", "__Child__Two", "__Three"]
    assert set(latency) == {MAIN_PIPELINE_NAME + key for key in keys}
    assert all(value > 0 for value in latency.values())
    assert all(value > 0 for value in throughput.values())
    assert [stage.value for stage in stages] == [None] * 4


def test_as_stage_gives_a_stage_that_was_not_cleaned_up(start, tmp_path):
    class Trace(Stage):
        def __call__(self, data):
            return data

        def cleanup(self):
            (tmp_path / "cleaned up").touch()

    pipeline = Pipeline()
    pipeline.add(Trace())
    start(pipeline)
    assert isinstance(pipeline.as_stage(), Stage)
    assert not (tmp_path / "cleaned up").exists()
    with pytest.raises(pystream.PipelineUndefined):
        pipeline.forward([])


def test_no_profiles_without_a_profiler(pipeline, caplog):
    pipeline.add(lambda x: x)
    pipeline.serialize()
    assert pipeline.get_profiles() == ({}, {})
    assert any(record.levelno == logging.ERROR for record in caplog.records)


def test_profiles_before_the_first_run_are_empty():
    assert Pipeline(use_profiler=True).get_profiles() == ({}, {})


def test_profiles_are_there_while_the_pipeline_runs_and_behind_it(start):
    pipeline = Pipeline(use_profiler=True)
    pipeline.add(lambda x: time.sleep(0.01) or x, "Sleep")
    with start(pipeline):
        run_all(pipeline, range(3))
        wait_until(lambda: pipeline.get_profiles()[1].get("MainPipeline__Sleep", 0) > 0)
    latency, throughput = pipeline.get_profiles()
    assert latency["MainPipeline__Sleep"] >= 0.01
    assert 0 < throughput["MainPipeline__Sleep"] <= 100


def test_the_profiler_folder_is_as_it_was_set(tmp_path):
    pystream.set_profiler_db_folder(str(tmp_path / "here"))
    assert pystream.get_profiler_db_folder() == str(tmp_path / "here")
    pipeline = Pipeline(use_profiler=True)
    pipeline.add(lambda x: x)
    with pipeline.parallelize(**ALL):
        run_all(pipeline, [1])
    assert list((tmp_path / "here").iterdir())


def test_func_serial():
    assert func_serial([lambda x: x + 1, lambda x: x * 2])(3) == 8


def test_func_parallel_thread_runs_all_at_once_and_gives_the_argument():
    barrier = threading.Barrier(3)

    def function(value):
        def run(data):
            barrier.wait(DEADLINE)
            data.append(value)

        return run

    data = []
    assert func_parallel_thread([function(value) for value in range(3)])(data) is data
    assert sorted(data) == [0, 1, 2]


def test_func_parallel_thread_raises_what_a_function_raises():
    with pytest.raises(ZeroDivisionError):
        func_parallel_thread([lambda x: x, lambda x: 1 / 0])(1)


def test_threads_at_the_start_are_named_in_a_warning(pipeline, caplog):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="a-thread-of-the-user")
    thread.start()
    pipeline.add(lambda x: x)
    pipeline.parallelize()
    stop.set()
    thread.join()
    assert "a-thread-of-the-user" in caplog.text


def test_a_with_statement_cleans_up():
    stage = Append(1)
    pipeline = Pipeline()
    pipeline.add(stage)
    with pipeline.parallelize():
        pass
    assert stage.value is None
    assert pipeline.pipeline is None
