#!/usr/bin/env python3
"""Makes the report of a benchmark run: bench_report.py FOLDER [--compare OLD.json] [--readme README.md] [--page PAGE.md]

Reads what the benchmark programs wrote into FOLDER (a JSON file each), writes FOLDER/results.json (all of it, what
--compare takes) and FOLDER/report.md. The rows with their targets stand in ROWS below.
"""

import argparse
import json
import pathlib
import statistics
import sys
from dataclasses import dataclass
from typing import Callable, Optional

PERFORMANCE_BEGIN = "<!-- performance: written by scripts/bench.sh --readme -->"
PERFORMANCE_END = "<!-- end of performance -->"


class Missing(Exception):
    """A row cannot be computed because a contender was not measured."""


class Results:
    """All series of a run: values by work, subject, unit and contender."""

    def __init__(self, documents):
        self.documents = documents
        self.series = {
            (document["work"], one["subject"], one["unit"], one["contender"]): one["values"]
            for document in documents
            for one in document["series"]
        }
        self.intervals = {
            (document["work"], one["subject"], one["unit"], one["contender"]): one["interval"]
            for document in documents
            for one in document["series"]
            if "interval" in one
        }

    def values(self, work, subject, contender, unit=None):
        for (a_work, a_subject, a_unit, a_contender), values in self.series.items():
            if (a_work, a_subject, a_contender) == (work, subject, contender) and unit in (None, a_unit):
                return values
        raise Missing(f"{contender} ({work}, {subject})")

    def missing(self):
        return sorted({peer for document in self.documents for peer in document["missing"]})


@dataclass
class Figure:
    """What a row measured: the median, and how far single rounds went."""

    value: float
    low: float
    high: float

    def text(self):
        return f"{number(self.value)} ({number(self.low)}–{number(self.high)})"


def number(value):
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def figure_of(values):
    return Figure(statistics.median(values), min(values), max(values))


def median_of(work, subject, contender, unit):
    """In brackets where the median lies in 19 of 20 cases: its rounds scatter by more than what is to be seen."""

    def compute(results):
        values = results.values(work, subject, contender, unit)
        low, high = results.intervals[(work, subject, unit, contender)]
        return Figure(statistics.median(values), low, high)

    return compute


def ratio(mine, other):
    """Contenders of one program took turns, so round i of one stands beside round i of the other.

    The median of the rounds' ratios and not the ratio of medians: from one round to the next a hop may take four times
    as long for both, as if a virtual machine's cores had been moved.
    """
    return figure_of([a / b for a, b in zip(mine, other, strict=True)])


def ratio_of_medians(mine, other):
    """Of two programs, which ran one behind another."""
    return Figure(statistics.median(mine) / statistics.median(other), min(mine) / max(other), max(mine) / min(other))


def fastest(results, work, subject, contenders):
    found = [values for contender in contenders if (values := optional(results, work, subject, contender))]
    if not found:
        raise Missing(f"{contenders[0]} ({work}, {subject})")
    return max(found, key=statistics.median)


def optional(results, *key):
    try:
        return results.values(*key)
    except Missing:
        return None


@dataclass
class Row:
    work: str
    limit: float
    at_least: bool
    unit: str
    compute: Callable[[Results], Figure]

    def target(self):
        return f"{'≥' if self.at_least else '≤'} {number(self.limit)}{self.unit}"

    def met(self, figure):
        good = figure.value >= self.limit if self.at_least else figure.value <= self.limit
        return "yes" if good else "**no**"


def compared(work, limit, at_least, mine, other):
    """`mine` and `other` are keys of Results.values()."""
    took_turns = mine[0] == other[0]
    over = ratio if took_turns else ratio_of_medians
    return Row(work, limit, at_least, " ×", lambda results: over(results.values(*mine), results.values(*other)))


def chain_row(subject, form, limit, work):
    return compared(work, limit, True, ("chain", subject, f"pystream, {form}"), ("chain", subject, "bare chain"))


def spread_over(work, subject, contenders):
    """Slowest ÷ fastest of several series."""

    def compute(results):
        series = [results.values(work, subject, contender) for contender in contenders]
        medians = [statistics.median(values) for values in series]
        rounds = [max(one) / min(one) for one in zip(*series)]
        return Figure(max(medians) / min(medians), min(rounds), max(rounds))

    return compute


def serial_overhead(results):
    mine = results.values("serial", "5 stages", "pystream")
    plain = results.values("serial", "5 stages", "plain calls")
    return figure_of([a - b for a, b in zip(mine, plain)])


TBB = ["oneTBB, by value", "oneTBB, pointers"]
SIZES = ["64 B", "256 B", "1 KiB", "4 KiB", "16 KiB", "64 KiB", "256 KiB", "1 MiB", "4 MiB", "16 MiB"]
WORKERS = [f"{count} workers" for count in (4, 16, 64, 256, 1000)]

ROWS = [
    Row("5 processes in a row, 64 B items, each adds 1: over oneTBB's 5 filters in threads", 5, True, " ×",
        lambda results: ratio(results.values("chain", "64 B", "pystream, typed"),
                              fastest(results, "chain", "64 B", TBB))),
    chain_row("64 B", "typed", 0.75, "the same over the bare chain of 5 processes"),
    compared("source() → 3 stages → sink() of a Pipeline: over workers put together by hand", 0.95, True,
             ("pipeline", "64 B", "source() and sink()"), ("pipeline", "64 B", "workers put together by hand")),
    compared("forward_all() and get_all_results() of a Pipeline: over the same", 0.5, True,
             ("pipeline", "64 B", "forward_all() and get_all_results()"),
             ("pipeline", "64 B", "workers put together by hand")),
    compared("forward() by one thread and get_results() by another: over oneTBB's pipeline", 5, True,
             ("pipeline", "64 B", "forward() and get_results()"), ("pipeline", "64 B", "oneTBB, by value")),
    chain_row("64 B", "typed, profiled", 0.65, "the same with the profiler on, sampling"),
    chain_row("8 B", "typed", 0.75, "8 B items over the bare chain of that size"),
    chain_row("256 B", "typed", 0.75, "256 B items, taken and given by value"),
    chain_row("256 B", "typed, changed in place", 0.75, "256 B items, changed in place as the bare chain does"),
    chain_row("4 KiB", "in place", 0.75, "4 KiB items, written in place"),
    chain_row("64 KiB", "in place", 0.75, "64 KiB items, written in place"),
    compared("one hop, one item at a time, both ends awake: over the bare SPSC ring one way", 1.3, False,
             ("hop", "both awake", "pystream ring"), ("hop", "both awake", "bare ring")),
    compared("the same over iceoryx", 1 / 3, False,
             ("hop", "both awake", "pystream ring"), ("hop", "both awake", "iceoryx")),
    compared("one hop, the receiver asleep: over a futex wake", 1.15, False,
             ("hop", "receiver asleep", "pystream ring"), ("hop", "receiver asleep", "futex")),
    Row("reserve → commit → peek of 64 B … 16 MiB, payload not touched: slowest ÷ fastest size", 1.2, False, " ×",
        spread_over("sizes", "one item", SIZES)),
    compared("forwarding 6 MiB unchanged through 3 stages: cost per hop over a 64 B item's, 1 item in a link", 1.5,
             False, ("forward", "1 in a link", "6 MiB"), ("forward", "1 in a link", "64 B")),
    compared("the same with 4 items in a link", 1.5,
             False, ("forward", "4 in a link", "6 MiB"), ("forward", "4 in a link", "64 B")),
    compared("6 MiB video frames, one pass over the pixels in each of 3 stages: over threads", 0.95, True,
             ("frames", "6 MiB, 3 stages", "pystream"), ("frames", "6 MiB, 3 stages", "threads")),
    Row("4 to 1,000 workers in a row: highest ÷ lowest CPU time per item and hop", 2, False, " ×",
        spread_over("many", "in a row", WORKERS)),
    compared("4 replicas of a stage that sleeps for 1 ms: over one", 3.8, True,
             ("replicas", "sleeps for 1 ms", "4 replicas"), ("replicas", "sleeps for 1 ms", "one")),
    compared("the same with exponential times: over one", 3.4, True,
             ("replicas", "sleeps for 1 ms in the mean, exponential", "4 replicas"),
             ("replicas", "sleeps for 1 ms in the mean, exponential", "one")),
    compared("2 replicas of a stage that computes for 100 us: over one", 1.8, True,
             ("replicas", "computes for 100 us", "2 replicas"), ("replicas", "computes for 100 us", "one")),
    compared("64 B items through 2 replicas of an empty stage: over one", 0.5, True,
             ("replicas", "empty stage, 64 B", "2 replicas"), ("replicas", "empty stage, 64 B", "one")),
    compared("64 B items through two empty stages as branches, zip: over one behind the other", 0.4, True,
             ("branches", "two empty stages, 64 B", "branches, zip"),
             ("branches", "two empty stages, 64 B", "one behind the other")),
    compared("8 parallel pipelines inside one another over a flat one: time per item", 1.1, False,
             ("nested", "parallel", "flat"), ("nested", "parallel", "8 deep")),
    compared("8 serial pipelines inside one another over a flat one: time per item", 1.1, False,
             ("nested", "serial", "flat"), ("nested", "serial", "8 deep")),
    Row("serial pipeline of 5 stages, C++: a stage and item over a plain call", 10, False, " ns", serial_overhead),
    Row("8 idle workers: of a core", 0.1, False, " %",
        lambda results: figure_of(results.values("idle", "8 workers", "not profiled", "% of a core"))),
    Row("8 idle workers: wake-ups a second of all processes, of which the watchdogs make one a process", 11, False, "",
        lambda results: figure_of(results.values("idle", "8 workers", "not profiled", "wake-ups/s"))),
    Row("kill of a worker to its replacement's first item, fork (95 % interval of the median)", 2, False, " ms",
        median_of("recovery", "kill of a worker", "fork", "ms to the first item")),
    Row("the same, spawn", 15, False, " ms",
        median_of("recovery", "kill of a worker", "spawn", "ms to the first item")),
    Row("profile: an item in a stage, each timed", 15, False, " ns",
        lambda results: figure_of(results.values("profile", "recorder", "an item timed"))),
    Row("profile: an item in a stage where they are sampled", 3, False, " ns",
        lambda results: figure_of(results.values("profile", "recorder", "an item where they are sampled"))),
    Row("profile of two 1 µs stages: fewer items/s (95 % interval of the median)", 2, False, " %",
        median_of("profile", "two 1 us stages", "with a profile", "% fewer items/s")),
    Row("profile: rows of single items a second in the database, beside 5 running workers", 500_000, True, "",
        lambda results: figure_of(results.values("profile", "single items", "recorded", "rows/s"))),
    Row("profile: of these rows lost", 0, False, "",
        lambda results: figure_of(results.values("profile", "single items", "lost", "rows"))),
]

# The rows of README, in words that stand alone.
README_WORK = {
    ROWS[0].work: "5 stages in a row, 64 B items: items/s over oneTBB's 5 filters in threads",
    "the same over the bare chain of 5 processes": "the same over bare processes and rings, which lose items at a kill",
    "the same over iceoryx": "one hop between two awake processes: time over iceoryx's",
    "6 MiB video frames, one pass over the pixels in each of 3 stages: over threads":
        "6 MiB video frames, one pass over the pixels in each of 3 stages: frames/s over threads",
    "kill of a worker to its replacement's first item, fork (95 % interval of the median)":
        "kill of a worker to its replacement's first item (fork; 95 % interval of the median)",
}

HOP = ("hop", "throughput", "pystream ring, one by one")
ASLEEP = ("hop", "receiver asleep", "pystream ring")
CHAIN = ("chain", "64 B", "pystream, typed")

# What people use today; nothing of it is to be faster.
PEERS = [
    compared("one hop, 64 B, messages/s: over iceoryx", 1, True, HOP, ("hop", "throughput", "iceoryx")),
    compared("over Boost message_queue", 1, True, HOP, ("hop", "throughput", "Boost message_queue")),
    compared("over ZeroMQ ipc", 1, True, HOP, ("hop", "throughput", "ZeroMQ ipc")),
    compared("over a pipe", 1, True, HOP, ("hop", "throughput", "pipe")),
    compared("over Python's multiprocessing.Queue", 1, True, HOP,
             ("peers", "one hop", "Python multiprocessing.Queue", "items/s")),
    compared("waking a sleeping receiver: over Boost message_queue", 1, False, ASLEEP,
             ("hop", "receiver asleep", "Boost message_queue")),
    compared("over ZeroMQ ipc", 1, False, ASLEEP, ("hop", "receiver asleep", "ZeroMQ ipc")),
    compared("over a pipe", 1, False, ASLEEP, ("hop", "receiver asleep", "pipe")),
    compared("chain of 5: over GStreamer's fakesrc, 3 × (queue, identity), queue, fakesink", 1, True, CHAIN,
             ("peers", "chain of 5", "GStreamer")),
]

LATENCIES = [
    ("pystream, at half of the most it can do", "half of its own", "pystream"),
    ("oneTBB, at half of the most it can do", "half of its own", "oneTBB"),
    ("pystream, at half of the most oneTBB can do", "half of oneTBB's", "pystream"),
]


def row_cells(row, results):
    """Work, target, measured, met."""
    try:
        figure = row.compute(results)
    except Missing as missing:
        return [row.work, row.target(), f"not measured: {missing}", "–"]
    return [row.work, row.target(), figure.text() + row.unit, row.met(figure)]


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def targets_table(results, rows=ROWS):
    return table(["work", "target", "measured", "met"], [row_cells(row, results) for row in rows])


def readme_table(results):
    cells = {row.work: row_cells(row, results) for row in ROWS if row.work in README_WORK}
    return table(["work", "target", "measured", "met"], [[README_WORK[work]] + cells[work][1:] for work in README_WORK])


def latency_table(results):
    """No target: an item of oneTBB's may stay in one thread all the way, one of ours changes process at every stage."""
    rows = []
    for name, subject, contender in LATENCIES:
        units = ("us, p50", "us, p99.9", "items/s")
        found = [optional(results, "latency", subject, contender, unit) for unit in units]
        rows.append([name] + [figure_of(values).text() if values else "not measured" for values in found])
    return table(["5 nodes, 64 B, from entrance to exit", "p50, µs", "p99.9, µs", "items/s"], rows)


def series_tables(results):
    parts = []
    for document in results.documents:
        rows = []
        for one in document["series"]:
            values = one["values"]
            rows.append([one["subject"], one["contender"], f"{statistics.median(values):,.5g}",
                         f"{min(values):,.5g} – {max(values):,.5g}",
                         " – ".join(f"{end:,.5g}" for end in one.get("interval", [])), str(len(values)), one["unit"]])
        parts.append(f"### {document['work']}\n\n" +
                     table(["what", "contender", "median", "min – max", "95 % interval of the median", "rounds", "unit"], rows))
    return "\n\n".join(parts)


def comparison(results, old):
    """Series of both runs; a change is called one only where the two ranges do not touch."""
    rows = []
    for key, values in results.series.items():
        before = old.series.get(key)
        if not before:
            continue
        apart = min(values) > max(before) or max(values) < min(before)
        change = statistics.median(values) / statistics.median(before) - 1 if statistics.median(before) else 0
        rows.append([key[0], key[1], key[3], key[2], f"{statistics.median(before):,.5g}",
                     f"{statistics.median(values):,.5g}", f"{change:+.1%}", "yes" if apart else ""])
    return table(["work", "what", "contender", "unit", "before", "now", "change", "ranges apart"], rows)


def report_text(results, machine, old: Optional[Results]):
    missing = results.missing()
    parts = [
        "# Benchmarks",
        machine,
        "Medians of the rounds of one run; a ratio is that of a round, in which contenders took turns. (Slowest ÷ "
        "fastest, and what programs of others reach: the ratio of medians.) In brackets the least and the most of "
        "single rounds, or where the row says so the interval of the median. Rates: ≥ means at least so many times the "
        "other's; times: ≤.",
        targets_table(results),
        "## Beside what people use today",
        targets_table(results, PEERS),
        "## Latency under load",
        latency_table(results),
        "Not installed, so not measured: " + (", ".join(missing) if missing else "nothing") + ".",
    ]
    if old:
        parts += ["## Against the earlier run", comparison(results, old)]
    parts += ["## All figures", series_tables(results)]
    return "\n\n".join(parts) + "\n"


def write_between_marks(path, table_text):
    text = path.read_text(encoding="utf-8")
    begin, end = text.find(PERFORMANCE_BEGIN), text.find(PERFORMANCE_END)
    if begin < 0 or end < begin:
        raise SystemExit(f"bench_report.py: {path} lacks the lines {PERFORMANCE_BEGIN} and {PERFORMANCE_END}")
    new = text[:begin] + PERFORMANCE_BEGIN + "\n" + table_text + "\n" + text[end:]
    path.write_text(new, encoding="utf-8")


def load(paths):
    documents = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        documents += document["programs"] if "programs" in document else [document]
    return Results(documents)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--compare", type=pathlib.Path, metavar="OLD.json")
    parser.add_argument("--readme", type=pathlib.Path, help="gets the rows of README_WORK")
    parser.add_argument("--page", type=pathlib.Path, help="gets all rows")
    parser.add_argument("--machine", default="", help="a line about the machine, for the report")
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.folder.glob("*.json")
                   if path.name != "results.json" and not path.name.startswith("google_"))
    if not files:
        raise SystemExit(f"bench_report.py: no results in {arguments.folder}")
    results = load(files)
    old = load([arguments.compare]) if arguments.compare else None
    (arguments.folder / "results.json").write_text(
        json.dumps({"machine": arguments.machine, "programs": results.documents}, indent=1), encoding="utf-8")
    (arguments.folder / "report.md").write_text(report_text(results, arguments.machine, old), encoding="utf-8")
    if arguments.readme:
        write_between_marks(arguments.readme, readme_table(results))
    if arguments.page:
        write_between_marks(arguments.page, targets_table(results))
    print("\n\n".join([targets_table(results), targets_table(results, PEERS), latency_table(results)]))
    if old:
        print("\n" + comparison(results, old))
    return 0


if __name__ == "__main__":
    sys.exit(main())
