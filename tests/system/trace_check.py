#!/usr/bin/env python3
"""Checks a trace against the Trace Event Format (JSON object format), as far as pystream-coord uses it.

  trace_check.py TRACE     prints what it holds; exit code 1 and the first faults if it breaks the format
"""
import json
import numbers
import sys
from bisect import bisect_right
from collections import Counter, defaultdict

REQUIRED = {
    "M": ["name", "args"],
    "X": ["name", "cat", "ts", "dur", "args"],
    "i": ["name", "cat", "ts", "s"],
    "C": ["name", "ts", "args"],
    "s": ["name", "cat", "ts", "id"],
    "t": ["name", "cat", "ts", "id"],
    "f": ["name", "cat", "ts", "id", "bp"],
}
METADATA = {"process_name": "name", "thread_name": "name", "thread_sort_index": "sort_index"}


def overlaps(track, spans):
    """Slices of one track must nest or follow one another."""
    faults = []
    enclosing = []
    for start, end in sorted(((round(s * 1000), round(e * 1000)) for s, e in spans), key=lambda span: (span[0], -span[1])):
        while enclosing and enclosing[-1] <= start:
            enclosing.pop()
        if enclosing and end > enclosing[-1]:
            faults.append(f"track {track}: the slice from {start} to {end} ns ends behind the one around it, {enclosing[-1]}")
        enclosing.append(end)
    return faults


def check(trace):
    faults = []
    tracks = set()
    named = set()
    slices = defaultdict(list)
    flows = defaultdict(list)
    kinds = Counter()
    for at, event in enumerate(trace["traceEvents"]):
        phase = event.get("ph")
        kinds[phase] += 1
        if phase not in REQUIRED:
            faults.append(f"event {at}: unknown phase {phase!r}")
            continue
        missing = [key for key in ["pid", "tid"] + REQUIRED[phase] if key not in event]
        if missing:
            faults.append(f"event {at} ({phase}): without {missing}")
            continue
        for key in ("ts", "dur"):
            if key in event and (not isinstance(event[key], numbers.Real) or event[key] < 0):
                faults.append(f"event {at} ({phase}): {key} is {event[key]!r}")
        track = (event["pid"], event["tid"])
        if phase == "M":
            if event["name"] not in METADATA or METADATA[event["name"]] not in event["args"]:
                faults.append(f"event {at}: metadata {event}")
            if event["name"] == "thread_name":
                named.add(track)
        elif phase == "X":
            tracks.add(track)
            slices[track].append((event["ts"], event["ts"] + event["dur"]))
        elif phase == "C":
            if not event["args"] or not all(isinstance(v, numbers.Real) for v in event["args"].values()):
                faults.append(f"event {at}: a counter of {event['args']}")
        elif phase == "i" and event["s"] not in ("g", "p", "t"):
            faults.append(f"event {at}: scope {event['s']!r}")
        elif phase in "stf":
            flows[(event["cat"], event["name"], event["id"])].append((event["ts"], phase, track))
    for track in sorted(tracks - named):
        faults.append(f"track {track} has no name")
    for track, spans in slices.items():
        spans.sort()
        faults += overlaps(track, spans)
    for flow, steps in flows.items():
        phases = "".join(phase for _, phase, _ in steps)
        if phases != "s" + "t" * (len(steps) - 2) + "f":
            faults.append(f"flow {flow}: phases {phases}")
        if [ts for ts, _, _ in steps] != sorted(ts for ts, _, _ in steps):
            faults.append(f"flow {flow}: goes back in time")
        for ts, phase, track in steps:
            spans = slices[track]
            here = bisect_right(spans, (ts, float("inf"))) - 1
            if here < 0 or not spans[here][0] <= ts <= spans[here][1]:
                faults.append(f"flow {flow}: its {phase} at {ts} lies in no slice of its track")
    summary = ", ".join(f"{count} {phase}" for phase, count in sorted(kinds.items()))
    return faults, f"{len(flows)} flows over {len(tracks)} tracks; events: {summary}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        trace = json.load(file)
    faults, summary = check(trace)
    print(summary)
    for fault in faults[:20]:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
