"""Exceptions, crashes, kills, hangs and ends at a bad time."""

import ctypes
import os
import random
import signal
import sys
import threading
import time

import pytest

import pystream
from conftest import ALL, DEADLINE, is_alive, run_all, run_script, wait_until
from pystream import Pipeline, Stage

WIDE = {"results": "all", "capacity": 256}  # what a test sends fits in


def outcome(pipeline, items):
    """Sends all, waits until nothing is in flight, and gives the results and the dead letters."""
    for item in items:
        assert pipeline.forward(item)
    assert pipeline.drain(DEADLINE)
    return pipeline.get_all_results(), pipeline.dead_letters()


def test_an_exception_becomes_a_dead_letter_with_its_traceback(pipeline):
    def divide(x):
        return 10 // x

    pipeline.add(divide, "Divide")
    pipeline.parallelize(**WIDE)
    results, (letter,) = outcome(pipeline, [1, 0, 5])
    assert results == [10, 2]
    assert letter.stage == "MainPipeline__Divide"
    assert (letter.sequence, letter.attempts, letter.signal) == (1, 1, 0)
    assert letter.item == 0
    assert letter.reason.startswith("ZeroDivisionError: ")
    assert "Traceback (most recent call last)" in letter.reason
    assert "in divide\n    return 10 // x" in letter.reason
    with pytest.raises(ZeroDivisionError):
        divide(letter.item)  # as in a debugger


def test_items_that_were_given_up_are_told_to_the_logger(pipeline, caplog):
    pipeline.add(lambda x: 1 / x, "Invert")
    pipeline.parallelize(**WIDE)
    outcome(pipeline, [0])
    pipeline.cleanup()
    assert "ZeroDivisionError" in caplog.text
    assert "MainPipeline__Invert" in caplog.text


def test_letters_are_there_behind_cleanup(pipeline):
    pipeline.add(lambda x: 1 / x)
    pipeline.parallelize(**WIDE)
    outcome(pipeline, [0])
    pipeline.cleanup()
    assert len(pipeline.dead_letters()) == 1


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError(), SystemExit(3), KeyboardInterrupt(), StopIteration(), GeneratorExit()], ids=repr
)
def test_every_exception_is_one_of_its_item(pipeline, error):
    def fail(x):
        if x == 1:
            raise error
        return x

    pipeline.add(fail)
    pipeline.parallelize(**WIDE)
    results, (letter,) = outcome(pipeline, [0, 1, 2])
    assert results == [0, 2]
    assert type(error).__name__ in letter.reason


def test_a_recursion_without_end_is_an_error_of_its_item(pipeline):
    def recurse(x):
        return recurse(x) if x else x

    pipeline.add(recurse)
    pipeline.parallelize(**WIDE)
    results, (letter,) = outcome(pipeline, [0, 1, 0])
    assert results == [0, 0]
    assert "RecursionError" in letter.reason


def test_an_exception_whose_text_fails_is_one_as_well(pipeline):
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def fail(_):
        raise Silent

    pipeline.add(fail)
    pipeline.parallelize(**WIDE)
    results, (letter,) = outcome(pipeline, [1])
    assert results == []
    assert "Silent" in letter.reason


def test_a_result_that_cannot_be_pickled_is_an_error_of_its_item(pipeline):
    pipeline.add(lambda x: (lambda: x) if x == 1 else x, "Give")
    pipeline.parallelize(**WIDE)
    results, (letter,) = outcome(pipeline, [0, 1, 2])
    assert results == [0, 2]
    assert "the result cannot be sent to another process" in letter.reason
    assert "pickle" in letter.reason


@pytest.mark.parametrize(("on_error", "letters"), [("skip", 0), ("dead_letter", 1), ("retry", 1)])
def test_on_error_says_what_follows(pipeline, on_error, letters):
    pipeline.add(lambda x: 1 / x, on_error=on_error)
    pipeline.parallelize(**WIDE)
    results, found = outcome(pipeline, [1, 0, 1])
    assert results == [1, 1]
    assert len(found) == letters


def test_on_error_fail_ends_the_run(pipeline):
    pipeline.add(lambda x: 1 / x, "Invert", on_error="fail")
    pipeline.parallelize(**ALL)
    pipeline.forward(0)
    with pytest.raises(pystream.PipelineTerminated, match="ZeroDivisionError") as caught:
        pipeline.get_results()
    assert caught.value.stage == "MainPipeline__Invert"
    assert caught.value.item == 0


def test_a_wrong_option_says_which_there_are(pipeline):
    pipeline.add(lambda x: x, on_error="ignore")
    with pytest.raises(ValueError, match='"ignore", expected one of "dead_letter", "skip"'):
        pipeline.parallelize()


def test_a_worker_that_dies_is_replaced_and_its_item_tried_again(pipeline):
    attempts = multiprocessing_counter()

    def die_once(x):
        if x == 1 and attempts.add() == 1:
            os._exit(7)
        return x

    pipeline.add(die_once)
    pipeline.parallelize(**WIDE)
    results, letters = outcome(pipeline, [0, 1, 2])
    assert (results, letters) == ([0, 1, 2], [])
    assert pipeline.status().stages[0].restarts == 1


def test_an_item_on_which_workers_die_becomes_a_letter(pipeline):
    pipeline.add(lambda x: os.abort() if x == 1 else x, max_attempts=2)
    pipeline.parallelize(**WIDE)
    results, (letter,) = outcome(pipeline, [0, 1, 2])
    assert results == [0, 2]
    assert (letter.sequence, letter.attempts, letter.signal) == (1, 2, signal.SIGABRT)


def test_a_crash_tells_the_python_frames(capfd):
    def crash_here(x):
        if x == 1:
            ctypes.string_at(0)
        return x

    pipeline = Pipeline()
    pipeline.add(crash_here, "Crash", max_attempts=1)
    with pipeline.parallelize(**WIDE):
        results, (letter,) = outcome(pipeline, [0, 1, 2])
        assert results == [0, 2]
        assert letter.signal == signal.SIGSEGV
    errors = capfd.readouterr().err
    assert "in crash_here" in errors


def test_a_stage_that_hangs_is_killed_and_tells_where_it_was(capfd):
    def hang_here(x):
        while x == 1:
            time.sleep(0.01)
        return x

    pipeline = Pipeline()
    pipeline.add(hang_here, "Hang", max_attempts=1, timeout=0.5)
    with pipeline.parallelize(**WIDE):
        results, (letter,) = outcome(pipeline, [0, 1, 2])
    assert results == [0, 2]
    assert letter.sequence == 1
    assert "in hang_here" in capfd.readouterr().err


def test_a_stage_that_hangs_with_the_lock_held_is_killed(pipeline):
    def spin(x):
        if x == 1:
            library = ctypes.PyDLL(None)  # its functions keep Python's lock
            semaphore = ctypes.create_string_buffer(64)
            library.sem_init(semaphore, 0, 0)
            library.sem_wait(semaphore)
        return x

    pipeline.add(spin, max_attempts=1, timeout=0.5)
    pipeline.parallelize(**WIDE)
    results, (letter,) = outcome(pipeline, [0, 1, 2])
    assert results == [0, 2]


def test_a_thread_that_a_stage_leaves_behind_runs_while_it_waits(pipeline):
    class Background(Stage):
        def __init__(self):
            self.count = 0
            self.thread = None

        def __call__(self, data):
            if self.thread is None:
                self.thread = threading.Thread(target=self.work, daemon=True)
                self.thread.start()
            return self.count

        def work(self):
            while True:
                self.count += 1
                time.sleep(0.001)

        def cleanup(self):
            self.thread = None

    pipeline.add(Background())
    pipeline.parallelize(**ALL)
    def grows_between_two_items():
        (before,) = run_all(pipeline, [None])
        time.sleep(0.05)
        (after,) = run_all(pipeline, [None])
        return after >= before + 5  # a call itself lets the thread run once or twice

    wait_until(grows_between_two_items)


def test_lines_of_workers_come_to_a_function(pipeline):
    lines = []
    pipeline.add(lambda x: print("seen", x, file=sys.stderr) or x, "See it")
    pipeline.parallelize(**ALL, worker_lines=lambda stage, line: lines.append((stage, line)))
    run_all(pipeline, [1, 2])
    pipeline.cleanup()
    assert lines == [("MainPipeline__See it", "seen 1"), ("MainPipeline__See it", "seen 2")]


def test_such_a_thread_runs_while_a_full_link_blocks_its_stage(pipeline):
    import multiprocessing

    count = multiprocessing.Value("q", 0)

    class Background(Stage):
        thread = None

        def __call__(self, data):
            if self.thread is None:
                self.thread = threading.Thread(target=self.work, daemon=True)
                self.thread.start()
            return data

        def work(self):
            while True:
                count.value += 1
                time.sleep(0.001)

        def cleanup(self):
            self.thread = None

    pipeline.add(Background())
    pipeline.parallelize(block_input=False, results="all")
    wait_until(lambda: not pipeline.forward(1))  # nobody reads the results
    blocked = count.value
    wait_until(lambda: count.value >= blocked + 20)


def test_generators_give_any_number_of_items(pipeline):
    def repeat(x):
        for _ in range(x):
            yield x

    pipeline.add(repeat)
    pipeline.add(lambda x: x * 10)
    pipeline.parallelize(**WIDE)
    results, letters = outcome(pipeline, [0, 1, 2, 3])
    assert results == [10, 20, 20, 30, 30, 30]
    assert letters == []


def test_a_generator_that_raises_gives_nothing(pipeline):
    def some(x):
        yield x
        yield 1 / x

    pipeline.add(some)
    pipeline.parallelize(**WIDE)
    results, (letter,) = outcome(pipeline, [1, 0, 2])
    assert results == [1, 1, 2, 0.5]
    assert letter.sequence == 1


def test_a_stage_that_fails_to_end_is_told(pipeline, caplog):
    class Fails(Stage):
        def __call__(self, data):
            return data

        def cleanup(self):
            raise OSError("disk full")

    pipeline.add(Fails(), "Fails")
    pipeline.parallelize()
    pipeline.cleanup()
    assert "disk full" in caplog.text


def test_stage_broken_ends_the_run_whatever_on_error_says(pipeline):
    def broken(_):
        raise pystream.StageBroken("out of sync")

    pipeline.add(broken, on_error="skip")
    pipeline.parallelize(**ALL)
    pipeline.forward(1)
    with pytest.raises(pystream.PipelineTerminated, match="out of sync"):
        pipeline.get_results()


def test_a_coordinator_that_dies_ends_the_run(pipeline):
    pipeline.add(lambda x: x)
    pipeline.parallelize(**ALL)
    os.kill(pipeline.status().coordinator, signal.SIGKILL)
    with pytest.raises(pystream.PipelineTerminated, match="coordinator"):
        while True:
            pipeline.forward(1)
            pipeline.get_all_results()


def multiprocessing_counter():
    import multiprocessing

    class Counter:
        def __init__(self):
            self.value = multiprocessing.Value("i", 0)

        def add(self):
            with self.value.get_lock():
                self.value.value += 1
                return self.value.value

    return Counter()


STORM_ITEMS = int(os.environ.get("PYSTREAM_PYTHON_STORM_ITEMS", "10000"))
STORM_KILLS = int(os.environ.get("PYSTREAM_PYTHON_STORM_KILLS", "200"))


@pytest.mark.parametrize("zero_copy", [False, True])
def test_no_kill_changes_what_comes_out(pipeline, zero_copy):
    """Workers are killed at random moments; every result must be there, once, in order and whole."""
    np = pytest.importorskip("numpy")

    def item(number):
        return np.full(50 + number % 1000, number, dtype=np.int64)

    pipeline.add(lambda x: x + 1, "AddOne", zero_copy=zero_copy)
    pipeline.add(lambda x: {"twice": x * 2, "of": int(x[0])}, "Double", zero_copy=zero_copy)
    pipeline.add(lambda x: (x["of"], x["twice"] + 1), "AddTwo", zero_copy=zero_copy)
    # A random death counts against the item in work; none is to become a letter by chance.
    for options in pipeline._stage_options:
        options["max_attempts"] = 1000
    pipeline.parallelize(**{**ALL, "capacity": 64, "max_restarts": 10**6})
    done = threading.Event()
    kills = 0
    sent = received = 0

    def kill_workers():
        nonlocal kills
        chosen = random.Random(7)
        before = -1
        while not done.is_set():
            # Usually waits for a result after each kill, so that a slow machine makes progress. Some kills hit a restart.
            if received > before or chosen.random() < 0.02:
                before = received
                try:
                    victim = chosen.choice(pipeline.status().stages)
                    if victim.pid > 0:
                        os.kill(victim.pid, signal.SIGKILL)
                        kills += 1
                except (pystream.PipelineUndefined, ProcessLookupError):
                    pass
            time.sleep(chosen.random() * 0.02)

    killer = threading.Thread(target=kill_workers)
    killer.start()
    try:
        while received < STORM_ITEMS or kills < STORM_KILLS:
            while sent - received < 60:
                assert pipeline.forward(item(sent))
                sent += 1
            for of, values in pipeline.get_all_results():
                assert of == received + 1
                assert np.array_equal(values, (item(received) + 1) * 2 + 1)
                received += 1
        done.set()
        killer.join()
        while received < sent:
            for of, values in pipeline.get_all_results():
                assert of == received + 1
                assert np.array_equal(values, (item(received) + 1) * 2 + 1)
                received += 1
    finally:
        done.set()
        killer.join()
    assert pipeline.dead_letters() == []
    print(f"{kills} kills, {received} items", file=sys.stderr)


@pytest.mark.parametrize("call", ["forward", "get_results", "drain", "wait"])
def test_ctrl_c_ends_a_call_that_waits(call):
    done = run_script(
        """
        import os, signal, sys, threading, time
        import pystream
        call = sys.argv[1]
        pipeline = pystream.Pipeline()
        pipeline.add(lambda x: time.sleep(1000))
        options = {"block_output": True, "output_timeout": 1000, "input_timeout": 1000, "stop_timeout": 0}
        if call == "wait":
            pipeline.source([1, 2])
        pipeline.parallelize(**options)
        began = None
        def interrupt():
            global began
            time.sleep(0.3)
            began = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        try:
            if call == "forward":
                while True:
                    pipeline.forward(1)
            elif call == "get_results":
                pipeline.get_results()
            elif call == "drain":
                pipeline.forward(1)
                pipeline.drain(1000)
            else:
                pipeline.wait(1000)
        except KeyboardInterrupt:
            print("interrupted after", time.monotonic() - began)
            pipeline.cleanup()
        """,
        call,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("interrupted after")
    assert float(done.stdout.split()[-1]) < 5  # 0.1 on a machine that has nothing else to do


def test_a_program_may_end_with_a_running_pipeline():
    done = run_script(
        """
        import pystream
        class Last(pystream.Stage):
            def __call__(self, data):
                return data
            def cleanup(self):
                print("cleaned up", flush=True)
        pipeline = pystream.Pipeline(input_generator=lambda: 1)
        pipeline.add(Last())
        pipeline.parallelize(block_output=True)
        pipeline.start_loop(0)
        assert pipeline.get_results() == 1
        print(pipeline.status().coordinator, pipeline.status().stages[0].pid)
        """
    )
    assert done.returncode == 0, done.stderr
    assert "cleaned up" in done.stdout
    pids = done.stdout.split("\n")[0].split()
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_workers_of_a_program_that_is_killed_end():
    done = run_script(
        """
        import os, signal
        import pystream
        pipeline = pystream.Pipeline()
        pipeline.add(lambda x: x)
        pipeline.parallelize()
        print(pipeline.status().coordinator, pipeline.status().stages[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    wait_until(lambda: not any(is_alive(pid) for pid in done.stdout.split()))


def test_what_a_program_printed_before_is_not_printed_by_workers():
    done = run_script(
        """
        import sys
        import pystream
        sys.stdout.write("once\\n")
        pipeline = pystream.Pipeline()
        pipeline.add(lambda x: print("from the worker") or x)
        pipeline.parallelize(block_output=True)
        pipeline.forward(1)
        pipeline.get_results()
        pipeline.cleanup()
        """
    )
    assert sorted(done.stdout.splitlines()) == ["from the worker", "once"]


def test_a_second_import_in_a_worker_is_harmless(pipeline):
    def import_again(x):
        import importlib

        import pystream.functional

        importlib.reload(pystream.functional)
        return pystream.functional.func_serial([lambda y: y + 1])(x)

    pipeline.add(import_again)
    pipeline.parallelize(**ALL)
    assert run_all(pipeline, [1]) == [2]


def test_multiprocessing_works_beside_it():
    done = run_script(
        """
        import multiprocessing
        import pystream
        def square(x):
            return x * x
        pipeline = pystream.Pipeline()
        pipeline.add(lambda x: x + 1)
        pipeline.parallelize(block_output=True)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            for number in range(5):
                pipeline.forward(number)
                assert pool.map(square, [pipeline.get_results()]) == [(number + 1) ** 2]
        pipeline.cleanup()
        print("done")
        """
    )
    assert done.stdout == "done\n", done.stderr


def test_an_open_database_of_the_user_does_no_harm(tmp_path):
    import sqlite3

    connection = sqlite3.connect(tmp_path / "users.db")
    connection.execute("CREATE TABLE t(x)")
    pipeline = Pipeline(use_profiler=True)
    pipeline.add(lambda x: 1 / x, "Invert")
    with pipeline.parallelize(**WIDE):
        _, letters = outcome(pipeline, [1, 0])
    assert len(letters) == 1
    assert "MainPipeline__Invert" in pipeline.get_profiles()[0]
    connection.execute("INSERT INTO t VALUES (1)")
    connection.commit()


def test_a_copy_in_a_child_process_does_not_act(pipeline):
    pipeline.add(lambda x: x)
    pipeline.parallelize(**ALL)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            pipeline.forward(1)
        except pystream.PipelineUndefined as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert b"belongs to process" in os.read(read, 1000)
    assert run_all(pipeline, [1]) == [1]


def test_random_numbers_differ_between_replicas(pipeline):
    pipeline.add(lambda _: random.random(), replicas=2)
    pipeline.parallelize(**ALL)
    first, second = run_all(pipeline, [None, None])
    assert first != second


def test_a_cell_of_a_notebook_may_run_twice():
    """The name is bound to a new pipeline while the old one runs."""
    pids = []
    for _ in range(2):
        cell = Pipeline()
        cell.add(lambda x: x + 1)
        cell.parallelize(**ALL)
        assert run_all(cell, [1]) == [2]
        pids.append(cell.status().stages[0].pid)
    wait_until(lambda: not is_alive(pids[0]))
    assert is_alive(pids[1])
    cell.cleanup()
