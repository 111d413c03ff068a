"""What the tests of deployment share: plans, runs of pystream-coord, waiting."""

import json
import os
import pathlib
import signal
import subprocess
import time

PATIENCE_S = 120

# A shell without a terminal has its background jobs ignore these, and pystream-coord keeps that on purpose.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def wait_for(what, condition, patience_s=PATIENCE_S):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited in vain until {what}")


class Coord:
    """pystream-coord in a folder of its own."""

    def __init__(self, program, folder):
        self.program = os.path.abspath(program)
        self.folder = pathlib.Path(folder)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSTREAM_", "NOTIFY_", "WATCHDOG_"))}
        kept.pop("JOURNAL_STREAM", None)
        self.environment = {**kept, "PYSTREAM_PROFILES": str(self.folder / "profiles")}
        self.started = []

    def plan(self, name, plan):
        file = self.folder / name
        file.write_text(json.dumps(plan))
        return str(file)

    def start(self, *arguments, prefix=(), environment=None, **options):
        """`environment`: what is added; a value of None takes the variable out."""
        merged = {**self.environment, **(environment or {})}
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(
            [*prefix, self.program, *arguments],
            cwd=self.folder, text=True, env={name: value for name, value in merged.items() if value is not None}, **options)
        self.started.append(process)
        return process

    def run(self, *arguments, **options):
        """Exit code, standard output, standard error."""
        process = self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, errors="surrogateescape", **options)
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()


def children_of(pid):
    """Processes whose parent is `pid`: their pids and states."""
    found = {}
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == pid:
            found[int(folder.name)] = fields[0]
    return found


def waiting_plan(items=None, time_ms=20, sink=None):
    """Runs until it is drained, or for `items` items."""
    source = {"type": "generate", "params": {"size": 8, **({"count": items} if items else {})}}
    return {
        "source": source,
        "stages": [{"name": "Wait", "type": "wait", "params": {"time": f"{time_ms}ms"}}],
        "sink": sink or {"type": "discard"},
        "links": {"capacity": {"items": 4}},
    }
