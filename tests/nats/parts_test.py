#!/usr/bin/env python3
"""Parts of a pipeline on a real NATS server, killed again and again, give what one machine gives, byte for byte.

parts_test.py COORD FOLDER-OF-NATS-SERVER [KILLS]
"""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ITEMS = 4_000
SKIPPED = 77
DEADLINE_S = 500


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def server_program(folder):
    """The newest there is, and its version; None and why not."""
    for place in [pathlib.Path(folder) / "nats-server", shutil.which("nats-server")]:
        if place and os.access(place, os.X_OK):
            said = subprocess.run([place, "--version"], capture_output=True, text=True, check=True).stdout
            version = tuple(int(n) for n in re.search(r"v(\d+)\.(\d+)\.(\d+)", said).groups())
            if version >= (2, 10, 27):
                return str(place), None
            return None, f"{place} has version {version}, and 2.10.27 is needed; scripts/setup.sh nats gets one"
    return None, "there is no nats-server; scripts/setup.sh nats gets one"


class Server:
    def __init__(self, program, folder):
        self.program, self.folder, self.port = program, folder, free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", self.folder / "store", "-l", self.folder / "log"])
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Part:
    """A part in a restart loop."""

    def __init__(self, coord, folder, name, plan):
        self.command = [coord, "run", "-q", folder / f"{name}.json"]
        self.folder, self.name, self.starts, self.over = folder, name, 0, False
        (folder / f"{name}.json").write_text(json.dumps(plan))
        self.process = None

    def start(self):
        self.starts += 1
        with open(self.folder / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, start_new_session=True)

    def tend(self):
        """Starts it again if it has died; true once it has come to its end."""
        if self.over:
            return True
        if self.process is None:
            self.start()
        code = self.process.poll()
        if code == 0:
            self.over = True
        elif code is not None:
            self.start()
        return self.over

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def log(self):
        return (self.folder / f"{self.name}.log").read_text(errors="replace")[-3000:]


def plans(url, folder):
    log = {"log": url, "item_type": "bytes", "plan_hash": "test", "capacity": "64MiB"}
    source = {"type": "generate", "params": {"count": ITEMS, "size": 64, "max_size": 200}}
    plugins = ["libpystream_nats.so"]
    stages = [{"name": "Pass", "type": "wait", "params": {"time": "0s"}}]
    return {
        "one": {"name": "one", "source": source, "stages": stages, "sink": {"type": "file_writer", "params": {"path": str(folder / "one.bin")}}},
        "first": {"name": "first", "plugins": plugins, "source": source, "stages": stages,
                  "sink": {"type": "nats.sink", "params": {**log, "stream": "a", "part": "first"}}},
        "middle": {"name": "middle", "plugins": plugins,
                   "source": {"type": "nats.source",
                              "params": {**log, "stream": "a", "journal": "b", "keep": "1s", "part": "middle"}},
                   "stages": stages,
                   "sink": {"type": "nats.sink", "params": {**log, "stream": "b", "part": "middle"}}},
        "last": {"name": "last", "plugins": plugins,
                 "source": {"type": "nats.source", "params": {**log, "stream": "b", "part": "last"}},
                 "stages": stages,
                 "sink": {"type": "file_writer", "params": {"path": str(folder / "last.bin")}}},
    }


def main():
    coord, nats_folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    kills = int(sys.argv[3]) if len(sys.argv) > 3 else 12
    program, why_not = server_program(nats_folder)
    if program is None:
        print(f"skipped: {why_not}")
        return SKIPPED
    dice = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.environ["XDG_STATE_HOME"] = name  # the profile databases of the runs
        server = Server(program, folder)
        plan = plans(f"nats://127.0.0.1:{server.port}", folder)
        (folder / "one.json").write_text(json.dumps(plan["one"]))
        subprocess.run([coord, "run", "-q", folder / "one.json"], check=True, capture_output=True)
        expected = (folder / "one.bin").read_bytes()
        parts = {part: Part(coord, folder, part, plan[part]) for part in ["first", "middle", "last"]}
        twin = Part(coord, folder, "twin", plan["middle"])
        done, began = 0, time.monotonic()
        try:
            while not all([part.tend() for part in parts.values()]):
                if time.monotonic() - began > DEADLINE_S:
                    for part in [*parts.values(), twin]:
                        print(f"--- {part.name}, started {part.starts} times\n{part.log()}")
                    sys.exit("the parts do not come to their end")
                time.sleep(dice.uniform(0.05, 0.5))
                if done < kills:
                    victim = dice.choice(["first", "middle", "middle", "twin", "server"])
                    if victim == "server":
                        server.kill()
                        time.sleep(dice.uniform(0, 0.5))
                        server.start()
                    elif victim == "twin":
                        if twin.process is None or twin.process.poll() is not None:
                            twin.start()
                        else:
                            os.killpg(twin.process.pid, signal.SIGSTOP)
                            time.sleep(dice.uniform(0, 0.3))
                            os.killpg(twin.process.pid, signal.SIGCONT)
                    elif not parts[victim].over:
                        parts[victim].kill()
                    done += 1
        finally:
            for part in [*parts.values(), twin]:
                part.kill()
            server.kill()
        got = (folder / "last.bin").read_bytes()
        if got != expected:
            same = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
            for part in [*parts.values(), twin]:
                print(f"--- {part.name}\n{part.log()}")
            sys.exit(f"{len(got)} bytes instead of {len(expected)}, different from byte {same} on")
        starts = {part.name: part.starts for part in [*parts.values(), twin]}
        print(f"{ITEMS} items, {done} faults, starts {starts}: {len(got)} bytes, the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())
