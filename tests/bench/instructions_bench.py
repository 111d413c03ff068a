#!/usr/bin/env python3
"""Instructions for each 64-byte item, counted by valgrind: a figure that does not depend on the machine's mood.

    instructions_bench.py COUNTED_WORK [--short] [--json FILE]

A count for many items less one for few leaves the items alone. `ring` is a writer and a reader, item by item or in runs
of 64; a worker's figure is that of the worker alone: that of the ring with what it reads is taken off.
"""

import argparse
import json
import re
import shutil
import subprocess

FEW = 25_600


def count(program, what, items):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, what, str(items)],
        check=True, capture_output=True, text=True)
    found = re.search(r"Collected\s*:\s*(\d+)", run.stderr)
    if not found:
        raise RuntimeError(f"valgrind said nothing about instructions:\n{run.stderr}")
    return int(found.group(1))


def per_item(program, what, many):
    return (count(program, what, FEW + many) - count(program, what, FEW)) / many


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    missing, series = [], []
    if shutil.which("valgrind"):
        many = 51_200 if arguments.short else 512_000
        ring = per_item(arguments.program, "ring", many)
        runs = per_item(arguments.program, "runs", many)
        found = {
            "ring": ring,
            "ring, in runs": runs,
            "worker, typed stage": per_item(arguments.program, "typed", many) - runs,
            "worker, raw stage": per_item(arguments.program, "raw", many) - ring,
            "raw source and a reader": per_item(arguments.program, "source", many),
            "source of lines and a reader": per_item(arguments.program, "lines", many),
        }
        series = [
            {"subject": "64 B", "unit": "instructions/item", "contender": name, "values": [value]}
            for name, value in found.items()
        ]
    else:
        missing.append("instruction counts (valgrind)")
    print("instructions")
    for one in series:
        print(f"  {one['contender']:36} {one['values'][0]:10.1f} {one['unit']}")
    for peer in missing:
        print(f"  not installed: {peer}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"work": "instructions", "short": arguments.short, "missing": missing, "series": series}, file,
                      indent=1)


if __name__ == "__main__":
    main()
