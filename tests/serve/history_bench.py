#!/usr/bin/env python3
"""How long the history of a day takes to load: 20 stages, a window a second, in a real browser.

history_bench.py COORD [HOURS]    fails if the charts need more than a second
"""

import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

from browser import Browser, Missing, until
from page_test import Coord

STAGES = 20
LIMIT_S = 1.0


def make_history(coord, hours):
    """The run of a real pipeline, with so many hours of windows in place of its own."""
    stages = [{"name": f"Stage{n:02}", "type": "wait", "params": {"time": "1us"}} for n in range(STAGES - 2)]
    (coord.folder / "in.txt").write_text("x\n" * 100)
    plan = coord.folder / "day.json"
    plan.write_text(json.dumps({"source": {"type": "lines", "params": {"path": "in.txt"}}, "stages": stages,
                                "sink": {"type": "file_writer", "params": {"path": "out.txt"}}}))
    subprocess.run([coord.program, "run", str(plan), "-q"], env=coord.environment, cwd=coord.folder, check=True)
    file = coord.folder / "profiles" / "last_profiles.sqlite"
    database = sqlite3.connect(file)
    seconds = round(hours * 3600)
    histogram = b"".join(bucket.to_bytes(4, "little") + (100).to_bytes(4, "little") for bucket in range(200, 220))
    database.executescript("DELETE FROM windows; DELETE FROM link_windows; DELETE FROM minutes; DELETE FROM link_minutes;")
    database.execute("UPDATE runs SET ended = started + ?", (seconds,))
    database.execute("WITH RECURSIVE n(w) AS (SELECT 0 UNION ALL SELECT w + 1 FROM n WHERE w + 1 < ?) "
                     "INSERT INTO windows SELECT id, w, 1000000000, 1000 + abs(random()) % 100, 1000, 0, 1000, 500000000, 500000000, 1000, 9000000, "
                     "400000000, 500000000, 100000000, ? FROM stages, n", (seconds, histogram))
    database.execute("WITH RECURSIVE n(w) AS (SELECT 0 UNION ALL SELECT w + 1 FROM n WHERE w + 1 < ?) "
                     "INSERT INTO link_windows SELECT id, w, 1000, 0, 5.5, 500, 900, 0.3, 20000000 FROM links, n", (seconds,))
    database.execute("INSERT INTO minutes SELECT stage, window / 60, sum(span_ns), sum(items), sum(errors), sum(total_ns), max(max_ns), "
                     "sum(waiting_ns), sum(working_ns), sum(blocked_ns) FROM windows WHERE window < ? GROUP BY stage, window / 60", (seconds // 60 * 60,))
    database.execute("INSERT INTO link_minutes SELECT link, window / 60, count(*), sum(items), sum(dropped), avg(fill_items), avg(fill), "
                     "max(oldest_ns) FROM link_windows WHERE window < ? GROUP BY link, window / 60", (seconds // 60 * 60,))
    database.commit()
    database.close()
    return os.path.getsize(file)


def timed(address):
    began = time.monotonic()
    with urllib.request.urlopen(address, timeout=120) as answer:
        size = len(answer.read())
    return time.monotonic() - began, size


def main():
    hours = float(sys.argv[2]) if len(sys.argv) > 2 else 24
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        coord = Coord(sys.argv[1], pathlib.Path(name))
        try:
            size = make_history(coord, hours)
            print(f"{hours:g} h of {STAGES} stages: {size / 2 ** 20:.0f} MiB")
            server = coord.start("serve", "--listen", "127.0.0.1:0", stdout=subprocess.PIPE)
            address = server.stdout.readline().strip()
            for path in ["api/runs", "api/run?run=1", "api/history?run=1&points=600", "api/history?run=1&points=600&from=3600&to=7200"]:
                times = [timed(address + path) for _ in range(3)]
                print(f"{path}: {', '.join(f'{seconds * 1000:.0f}' for seconds, _ in times)} ms, {times[0][1] / 1024:.0f} KiB")
            shown = []
            with Browser() as browser:
                for _ in range(3):
                    browser.open("about:blank")
                    browser.open(f"{address}#/run/1")
                    until(lambda: browser.run("return document.querySelectorAll('.chart .line').length") > STAGES, "the charts")
                    shown.append(browser.run("return performance.getEntriesByName('charts').at(-1).startTime") / 1000)
            print(f"from the click to the charts: {', '.join(f'{seconds * 1000:.0f}' for seconds in shown)} ms")
            server.send_signal(signal.SIGTERM)
            server.wait(60)
            return 0 if min(shown) < LIMIT_S else 1
        except Missing as missing:
            print(missing)
            return 77
        finally:
            coord.close()


if __name__ == "__main__":
    sys.exit(main())
