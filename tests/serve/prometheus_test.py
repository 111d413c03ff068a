#!/usr/bin/env python3
"""A real Prometheus reads a run with crashes; its queries give what `pystream-coord profile` gives.

prometheus_test.py COORD EXAMPLES
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

from browser import Missing, program, until
from page_test import Coord

ITEMS = 2_000
LINGERS = "8s"  # so long the run shows its last figures
NAME = f'read "{os.getpid()}"'  # its label needs escapes; no other test's pipeline has it
PIPELINE = "pipeline=" + json.dumps(NAME)  # as Prometheus writes it


def get(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read().decode()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Prometheus:
    def __init__(self, folder, target):
        config = folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 250ms}\nscrape_configs:\n- job_name: pystream\n"
                          f"  static_configs: [{{targets: ['{target}']}}]\n")
        self.base = f"http://127.0.0.1:{free_port()}"
        self.log = (folder / "prometheus.log").open("w")
        self.process = subprocess.Popen(
            [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
             f"--web.listen-address={self.base.removeprefix('http://')}"], stdout=self.log, stderr=self.log, cwd=folder)
        until(self.ready, "Prometheus")

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def ready(self):
        try:
            return "Ready" in get(f"{self.base}/-/ready")
        except OSError:
            return False

    def ask(self, query):
        """Values by stage; "" where there is no such label."""
        text = get(f"{self.base}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        return {one["metric"].get("stage", ""): float(one["value"][1]) for one in json.loads(text)["data"]["result"]}


def plan_of(folder):
    (folder / "in").write_text("".join(f"{n}\n" for n in range(ITEMS)))
    file = folder / f"{NAME}.json"
    file.write_text(json.dumps({
        "plugins": ["libpystream_testing.so"],
        "source": {"type": "lines", "params": {"path": str(folder / "in")}},
        "stages": [
            {"name": "Decode", "type": "test.crash", "params": {"how": "segv", "sequence": 100, "every": 500, "attempts": 1}},
            {"name": "Check", "type": "test.crash", "params": {"how": "throw", "sequence": 7, "attempts": 1000}},
            {"name": "Last", "type": "test.sleep_start", "params": {"time": "0s", "cleanup": LINGERS}},
            {"name": "Work", "type": "wait", "params": {"time": "500us"}, "replicas": 2},
        ],
        "sink": {"type": "file_writer", "params": {"path": str(folder / "out.txt")}},
    }))
    return file


def check_text(text):
    found = subprocess.run([program("promtool"), "check", "metrics"], input=text, text=True, capture_output=True)
    assert found.returncode == 0, found.stdout + found.stderr


def check_dashboard(prometheus, file):
    """Each of its questions is one that Prometheus understands, and has an answer."""
    for panel in json.loads(file.read_text())["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$pipeline", ".+").replace("$__rate_interval", "10m")
            answer = prometheus.ask(query)
            assert answer or "[10m]" in query, query  # a rate needs two looks


def compare(prometheus, profile):
    """What both say of each stage. Counters are equal; percentiles as exact as the buckets are."""
    last = f"last_over_time(%s{{{PIPELINE}}}[10m])"
    sums = {name: prometheus.ask(f"sum by (stage) ({last % name})") for name in
            ["pystream_stage_items_total", "pystream_stage_errors_total", "pystream_stage_busy_seconds_total",
             "pystream_worker_restarts_total", "pystream_stage_dead_letters_total"]}
    p99 = prometheus.ask(f"histogram_quantile(0.99, sum by (stage, le) ({last % 'pystream_stage_duration_seconds_bucket'}))")
    seen = 0
    for key in profile["keys"]:
        stage = key["key"].removeprefix("MainPipeline__")
        if key["role"] == "pipeline" or "#" in stage:
            continue
        seen += 1
        assert sums["pystream_stage_items_total"][stage] == key["items"], (stage, sums, key)
        assert sums["pystream_stage_errors_total"][stage] == key["errors"], (stage, sums, key)
        assert abs(sums["pystream_stage_busy_seconds_total"][stage] - key["mean_s"] * key["items"]) < 1e-6, (stage, sums, key)
        if key["replicas"] == 1:
            assert sums["pystream_worker_restarts_total"][stage] == key["restarts"], (stage, sums, key)
        assert key["p99_s"] / 1.6 <= max(p99[stage], 1e-6) and p99[stage] <= max(key["p99_s"] * 1.6, 2e-6), (stage, p99[stage], key["p99_s"])
    assert seen == 6, profile
    assert sums["pystream_stage_items_total"]["Sink"] == ITEMS - 1
    assert sums["pystream_stage_dead_letters_total"]["Check"] == 1
    assert sums["pystream_worker_restarts_total"]["Decode"] == 4, sums
    main = next(key for key in profile["keys"] if key["key"] == "MainPipeline")
    out = prometheus.ask(last % "pystream_pipeline_items_total")[""]
    latency = prometheus.ask(f"{last % 'pystream_pipeline_latency_seconds_sum'} / {last % 'pystream_pipeline_latency_seconds_count'}")[""]
    assert out == main["items"], (out, main)
    assert abs(latency / main["mean_s"] - 1) < 0.05, (latency, main)


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    examples = pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        coord = Coord(sys.argv[1], folder)
        prometheus = None
        try:
            for check in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"], ["check", "config", "prometheus.yml"]]:
                subprocess.run([program("promtool"), *check], cwd=examples, check=True, stdout=subprocess.DEVNULL)
            server = coord.start("serve", "--listen", "127.0.0.1:0", stdout=subprocess.PIPE)
            address = server.stdout.readline().strip()
            prometheus = Prometheus(folder, address.removeprefix("http://").rstrip("/"))
            file = folder / "figures.prom"
            run = coord.start("run", str(plan_of(folder)), "-q", "--accept-dead-letters", "--metrics", str(file))
            until(lambda: prometheus.ask(f'last_over_time(pystream_stage_items_total{{{PIPELINE},stage="Sink"}}[10m])').get("Sink") == ITEMS - 1,
                  lambda: f"all items in Prometheus, which has {prometheus.ask('pystream_stage_items_total')}")
            check_text(get(f"{address}metrics"))
            assert get(f"{address}healthz") == "ok\n"
            check_dashboard(prometheus, examples / "dashboard.json")
            assert run.wait(120) == 0
            profile = json.loads(subprocess.run([coord.program, "profile", "--format", "json"], env=coord.environment, check=True,
                                                capture_output=True, text=True).stdout)
            compare(prometheus, profile)
            text = file.read_text()
            check_text(text)
            assert f'pystream_stage_items_total{{{PIPELINE},stage="Sink"}} 1999\n' in text, text
            assert 'state="ended"} 1\n' in text and list(folder.glob("*.part-*")) == []
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0
        except Missing as missing:
            print(missing)
            return 77
        finally:
            if prometheus:
                prometheus.close()
            coord.close()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
