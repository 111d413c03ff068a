#!/usr/bin/env python3
"""Peers that are no C++ library: Python's multiprocessing.Queue and GStreamer's gst-launch-1.0.

Same arguments and the same JSON as the other programs of this folder (see harness.hpp).
"""

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import time

MESSAGE = bytes(64)


def echo(inbox, outbox, rounds):
    for _ in range(rounds):
        outbox.put(inbox.get())


def take(inbox, messages, took):
    inbox.get()
    began = time.monotonic()
    for _ in range(messages - 1):
        inbox.get()
    took.value = time.monotonic() - began


def queue_one_way_ns(rounds):
    there, back = multiprocessing.Queue(), multiprocessing.Queue()
    child = multiprocessing.Process(target=echo, args=(there, back, rounds + 10))
    child.start()
    for i in range(-10, rounds):
        if i == 0:
            began = time.monotonic()
        there.put(MESSAGE)
        back.get()
    took = time.monotonic() - began
    child.join()
    return took / rounds / 2 * 1e9


def queue_rate(messages):
    queue, took = multiprocessing.Queue(), multiprocessing.Value("d", 0)
    child = multiprocessing.Process(target=take, args=(queue, messages, took))
    child.start()
    for _ in range(messages):
        queue.put(MESSAGE)
    child.join()
    return (messages - 1) / took.value


def gstreamer_seconds(buffers):
    middle = ["queue", "!", "identity", "!"] * 3
    command = ["gst-launch-1.0", "-q", "fakesrc", f"num-buffers={buffers}", "!", *middle, "queue", "!", "fakesink"]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def gstreamer_rate(buffers):
    """Without the time that the program takes to start and end."""
    return buffers / (gstreamer_seconds(buffers) - gstreamer_seconds(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    repetitions = arguments.repetitions or (5 if arguments.short else 7)
    scale = 1 if arguments.short else 5

    measures = [
        ("one hop", "ns one way", "Python multiprocessing.Queue", lambda: queue_one_way_ns(1000 * scale)),
        ("one hop", "items/s", "Python multiprocessing.Queue", lambda: queue_rate(20_000 * scale)),
    ]
    missing = []
    if shutil.which("gst-launch-1.0"):
        measures.append(("chain of 5", "items/s", "GStreamer", lambda: gstreamer_rate(40_000 * scale)))
    else:
        missing.append("GStreamer (gstreamer1.0-tools)")

    values = [[] for _ in measures]
    for _ in range(repetitions):
        for measure, collected in zip(measures, values):
            collected.append(measure[3]())
    series = [
        {"subject": subject, "unit": unit, "contender": contender, "values": collected}
        for (subject, unit, contender, _), collected in zip(measures, values)
    ]
    print("peers")
    for one in series:
        print(f"  {one['subject']:16} {one['contender']:36} {statistics.median(one['values']):14.5g} {one['unit']}")
    for peer in missing:
        print(f"  not installed: {peer}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"work": "peers", "short": arguments.short, "missing": missing, "series": series}, file, indent=1)


if __name__ == "__main__":
    os.environ.setdefault("GST_DEBUG", "0")
    main()
