#!/usr/bin/env python3
"""How long an item takes through a pipeline with a slow stage, and how long a Ctrl-C takes to end it.

  slow_stage_bench.py BUILD_FOLDER [--short] [--stage-ms 10] [--runs 5]

Short lines go through a stage that takes 10 ms for each. Without a time bound (links.capacity.time 0s) the link in front
of it fills with thousands of them. Targets: p99 from read to written 250 ms, Ctrl-C to exit 0.5 s.
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

P99_TARGET_S = 0.25
EXIT_TARGET_S = 0.5


def plan(folder, bound, stage_ms):
    return {
        "source": {"type": "lines", "params": {"path": str(folder / "in.txt")}},
        "stages": [{"name": "Slow", "type": "wait", "params": {"time": f"{stage_ms}ms"}}],
        "sink": {"type": "file_writer", "params": {"path": str(folder / "out.txt")}},
        "links": {"capacity": {"time": bound}},
        "profiler": {"folder": str(folder / "profiles")},
    }


def measure(coord, bound, stage_ms, seconds):
    """p99 of the way through the pipeline, and seconds from Ctrl-C to the exit."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "in.txt").write_text("".join(f"line {i}\n" for i in range(300_000)))
        (folder / "plan.json").write_text(json.dumps(plan(folder, bound, stage_ms)))
        command = [coord, "run", "-q", str(folder / "plan.json"), "--drain-timeout", "2s"]
        run = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, stderr=subprocess.DEVNULL)
        out = folder / "out.txt"
        while run.poll() is None and not (out.exists() and out.stat().st_size > 0):
            time.sleep(0.01)
        time.sleep(seconds)
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        code = run.wait()
        exit_s = time.monotonic() - began
        if code not in (0, 130):
            sys.exit(f"the run ended with exit code {code}")
        text = subprocess.run([coord, "profile", "--format", "json", "--folder", str(folder / "profiles")],
                              check=True, capture_output=True, text=True).stdout
        main = next(key for key in json.loads(text)["keys"] if key["key"] == "MainPipeline")
        return main["p99_s"], exit_s, main["items_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--short", action="store_true", help="one run of two seconds")
    parser.add_argument("--stage-ms", type=float, default=10)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    coord = str(options.build / "src" / "cli" / "pystream-coord")
    seconds, runs = (2, 1) if options.short else (10, options.runs)
    os.environ.pop("PYSTREAM_PROFILES", None)
    print(f"{'links.capacity.time':22}{'p99 read to written':>22}{'Ctrl-C to exit':>18}{'items/s':>12}")
    missed = False
    for bound in ("100ms", "0s"):
        found = [measure(coord, bound, options.stage_ms, seconds) for _ in range(runs)]
        p99, exit_s, rate = (statistics.median(column) for column in zip(*found))
        print(f"{bound:22}{p99 * 1e3:>19.0f} ms{exit_s:>16.2f} s{rate:>12.1f}")
        missed |= bound != "0s" and (p99 > P99_TARGET_S or exit_s > EXIT_TARGET_S)
    print(f"targets with a bound: {P99_TARGET_S * 1e3:.0f} ms, {EXIT_TARGET_S} s: {'missed' if missed else 'met'}")


if __name__ == "__main__":
    main()
