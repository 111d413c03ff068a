#!/usr/bin/env python3
"""The Python package beside threads with queue.Queue, multiprocessing.Queue and, if it is there, PyStream.

python_bench.py PACKAGE-FOLDER [--short] [--pystream FOLDER]

FOLDER holds PyStream 0.2.0's package, which is run in a process of its own. Each row is measured in one run, several times
in turn, and its median is given; what counts is the ratio.
"""

import argparse
import json
import multiprocessing
import os
import queue
import signal
import statistics
import subprocess
import sys
import threading
import time

REPEATS = 5


def increment(x):
    return x + 1


def touch(frame):
    frame[0, 0, 0] += 1
    return frame


def look(frame):
    frame[0, 0, 0]
    return frame


def work(x):
    """Some 2 ms of pure Python."""
    total = 0
    for number in range(40_000):
        total += number
    return x


# ---- a chain of stages, by whoever makes it; each gives items a second ----


def by_pystream(package, stages, items, profiler=False, zero_copy=False, **options):
    """Of this package: one thread forwards, one reads."""
    pipeline = package.Pipeline(use_profiler=profiler)
    for stage in stages:
        pipeline.add(stage, zero_copy=zero_copy)
    pipeline.parallelize(results="all", block_output=True, **options)
    feeder = threading.Thread(target=lambda: [pipeline.forward(item) for item in items])
    began = time.perf_counter()
    feeder.start()
    received = 0
    while received < len(items):
        received += len(pipeline.get_all_results())
    took = time.perf_counter() - began
    feeder.join()
    pipeline.cleanup()
    return len(items) / took


def by_queues(stages, items, make_queue, make_worker):
    """One worker a stage, with a queue of two between each."""
    queues = [make_queue(2) for _ in range(len(stages) + 1)]

    def run(stage, take, give):
        while True:
            item = take.get()
            if item is None:
                return
            give.put(stage(item))

    workers = [
        make_worker(target=run, args=(stage, queues[i], queues[i + 1]), daemon=True) for i, stage in enumerate(stages)
    ]
    for worker in workers:
        worker.start()
    feeder = threading.Thread(target=lambda: [queues[0].put(item) for item in items])
    began = time.perf_counter()
    feeder.start()
    for _ in items:
        queues[-1].get()
    took = time.perf_counter() - began
    feeder.join()
    queues[0].put(None)
    for worker in workers:
        if hasattr(worker, "terminate"):
            worker.terminate()
    return len(items) / took


def by_processes(stages, items):
    context = multiprocessing.get_context("fork")
    return by_queues(stages, items, context.Queue, context.Process)


def by_threads(stages, items):
    return by_queues(stages, items, queue.Queue, threading.Thread)


def serially(package, stages, items):
    pipeline = package.Pipeline()
    for stage in stages:
        pipeline.add(stage)
    pipeline.serialize()
    began = time.perf_counter()
    for item in items:
        pipeline.forward(item)
        pipeline.get_results()
    took = time.perf_counter() - began
    pipeline.cleanup()
    return len(items) / took


PEER = """
import json, sys, threading, time, types
folder, what, count, stages = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path.insert(0, folder)
try:
    import pandas
except ImportError:
    sys.modules["pandas"] = types.ModuleType("pandas")  # PyStream needs it for its profiles alone
import pystream
pipeline = pystream.Pipeline()
for _ in range(stages):
    pipeline.add(lambda x: x + 1)
if what == "serial":
    pipeline.serialize()
else:
    pipeline.parallelize(input_timeout=1000)
began = time.perf_counter()
for number in range(count):
    pipeline.forward(number)
    if what == "serial":
        pipeline.get_results()
print(count / (time.perf_counter() - began), flush=True)
import os
os._exit(0)
"""


def by_peer(folder, what, count, stages):
    """PyStream itself; nothing if it is not there. (It gives the newest result alone, so what is measured is how fast it
    takes items.)"""
    if folder is None:
        return None
    done = subprocess.run(
        [sys.executable, "-c", PEER, folder, what, str(count), str(stages)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
        return None
    return float(done.stdout)


def recovery(package):
    """Seconds from the kill of a worker to the next result."""
    pipeline = package.Pipeline()
    pipeline.add(increment)
    pipeline.parallelize(results="all", block_output=True, max_restarts=10**6)
    times = []
    for number in range(20):
        pipeline.forward(number)
        pipeline.get_results()
        victim = pipeline.status().stages[0].pid
        began = time.perf_counter()
        os.kill(victim, signal.SIGKILL)
        pipeline.forward(number)
        pipeline.get_results()
        times.append(time.perf_counter() - began)
    pipeline.cleanup()
    return statistics.median(times)


def median_of(repeats, *ways):
    """The ways in turn, several times."""
    found = [[] for _ in ways]
    for _ in range(repeats):
        for values, way in zip(found, ways):
            values.append(way())
    return [None if None in values else statistics.median(values) for values in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package")
    parser.add_argument("--short", action="store_true", help="few items, once: shows that it runs, not how fast")
    parser.add_argument("--pystream", help="folder of PyStream 0.2.0")
    parser.add_argument("--json", help="file for the figures")
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.package)
    import numpy

    import pystream

    scale = 20 if arguments.short else 1
    repeats = 1 if arguments.short else REPEATS
    rows = []

    def row(title, unit, **ways):
        names, values = list(ways), median_of(repeats, *ways.values())
        rows.append({"row": title, "unit": unit, **dict(zip(names, values))})
        shown = [f"{name} {value:,.4g}" for name, value in zip(names, values) if value is not None]
        ratios = [
            f"{values[0] / value:.2f} x {name}" for name, value in zip(names[1:], values[1:]) if value is not None
        ]
        print(f"{title} [{unit}]: {', '.join(shown)}{'; ' if ratios else ''}{', '.join(ratios)}", flush=True)

    few, many = range(8_000 // scale), range(200_000 // scale)
    chain = [increment] * 4
    row(
        "4 stages, small ints",
        "items/s",
        pystream=lambda: by_pystream(pystream, chain, many, capacity=None),
        two_items_a_link=lambda: by_pystream(pystream, chain, few),
        threads=lambda: by_threads(chain, few),
        queue=lambda: by_processes(chain, few),
        peer=lambda: by_peer(arguments.pystream, "parallel", len(few), 4),
    )
    row(
        "the same with the profiler",
        "items/s",
        pystream=lambda: by_pystream(pystream, chain, many, profiler=True, capacity=None),
    )
    frames = [numpy.zeros((1024, 2048, 3), dtype=numpy.uint8)] * max(200 // scale, 10)
    row(
        "4 stages, 6 MiB arrays, copied",
        "items/s",
        pystream=lambda: by_pystream(pystream, [touch] * 4, frames),
        queue=lambda: by_processes([touch] * 4, frames),
    )
    row(
        "4 stages, 6 MiB arrays, looked at where they lie",
        "items/s",
        pystream=lambda: by_pystream(pystream, [look] * 4, frames, zero_copy=True),
        queue=lambda: by_processes([look] * 4, frames),
    )
    busy = range(max(400 // scale, 10))
    row(
        "5 stages of pure Python, 2 ms each",
        "items/s",
        pystream=lambda: by_pystream(pystream, [work] * 5, busy),
        serial=lambda: serially(pystream, [work] * 5, busy),
        threads=lambda: by_threads([work] * 5, busy),
        queue=lambda: by_processes([work] * 5, busy),
    )
    row(
        "serial, 4 stages, small ints",
        "items/s",
        pystream=lambda: serially(pystream, chain, many),
        peer=lambda: by_peer(arguments.pystream, "serial", len(many), 4),
    )
    row("kill of a worker to the next result", "s", pystream=lambda: recovery(pystream))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
