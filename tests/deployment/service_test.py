#!/usr/bin/env python3
"""A pipeline as a service: what systemd is told, its watchdog, the logs for programs, the unit file.

service_test.py COORD EXAMPLES
"""

import contextlib
import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from deployed import Coord, PATIENCE_S, children_of, waiting_plan, wait_for


class Manager:
    """The socket of a service manager."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(PATIENCE_S)
        self.heard = []

    def hear(self, line):
        """Waits for a message that has this line."""
        deadline = time.monotonic() + PATIENCE_S
        while not any(line in message.split("\n") for message in self.heard):
            assert time.monotonic() < deadline, f"no {line} in {self.heard}"
            self.heard.append(self.socket.recv(65536).decode())

    def hear_all(self):
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(self.socket.recv(65536).decode())
        self.socket.settimeout(PATIENCE_S)


def tells_the_service_manager(coord, _):
    plan = coord.plan("service.json", waiting_plan())
    for name in [str(coord.folder / "notify"), f"@pystream-{os.getpid()}"]:
        manager = Manager(name)
        run = coord.start("run", plan, "-q", environment={"NOTIFY_SOCKET": name})
        manager.hear("READY=1")
        assert "STOPPING=1" not in "\n".join(manager.heard), manager.heard
        for worker in wait_for("the workers run", lambda: list(children_of(run.pid))):
            variables = pathlib.Path(f"/proc/{worker}/environ").read_bytes()
            assert b"NOTIFY_SOCKET" not in variables, "a worker has the socket"
        run.send_signal(signal.SIGTERM)
        manager.hear("STOPPING=1")
        assert run.wait(PATIENCE_S) == 0
        manager.hear_all()
        order = [message.split("\n")[0].split("=")[0] for message in manager.heard]
        assert order.index("READY") < order.index("STOPPING"), manager.heard
        assert "items in" in manager.heard[-1], manager.heard[-1]


def is_ready_only_when_every_worker_is(coord, _):
    """A stage that takes an hour to start keeps the service from being ready."""
    plan = waiting_plan()
    plan["plugins"] = ["libpystream_testing.so"]
    plan["stages"].append({"name": "Late", "type": "test.sleep_start", "params": {"time": "1h"}, "start_timeout": "2h"})
    manager = Manager(str(coord.folder / "late"))
    out = coord.folder / "items"
    plan["stages"].insert(0, {"name": "Log", "mode": "branch", "join": "none", "stages": [
        {"name": "Seen", "type": "file_writer", "params": {"path": str(out), "newline": "always"}}]})
    run = coord.start("run", coord.plan("late.json", plan), "-q", environment={"NOTIFY_SOCKET": manager.name})
    wait_for("the other workers work", lambda: out.exists() and out.stat().st_size > 0)
    run.send_signal(signal.SIGQUIT)
    assert run.wait(PATIENCE_S) == 130
    manager.hear_all()
    assert not any("READY=1" in message for message in manager.heard), manager.heard
    assert any("STOPPING=1" in message for message in manager.heard), manager.heard


def keeps_the_watchdog_quiet_unless_it_is_stuck(coord, _):
    manager = Manager(str(coord.folder / "watchdog"))
    run = coord.start("run", coord.plan("watched.json", waiting_plan()), "-q",
                      environment={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"})
    manager.hear("READY=1")
    for _ in range(5):
        manager.heard.clear()
        manager.hear("WATCHDOG=1")
    run.send_signal(signal.SIGSTOP)  # a coordinator that is stuck
    wait_for("it is stopped", lambda: pathlib.Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    manager.hear_all()
    manager.socket.settimeout(2)
    try:
        late = manager.socket.recv(65536)
        raise AssertionError(f"a coordinator that is stopped said {late}")
    except TimeoutError:
        pass
    manager.socket.settimeout(PATIENCE_S)
    run.send_signal(signal.SIGCONT)
    manager.heard.clear()
    manager.hear("WATCHDOG=1")
    run.send_signal(signal.SIGTERM)
    assert run.wait(PATIENCE_S) == 0


def goes_on_without_its_service_manager(coord, _):
    code, _, err = coord.run("run", coord.plan("alone.json", waiting_plan(3)), environment={"NOTIFY_SOCKET": str(coord.folder / "gone")})
    assert code == 0, err
    assert err.count("the service manager is told nothing") == 1, err


NASTY = r"""printf 'plain\n\377\376 no UTF-8\n"quoted" \\ {"level":"error"}\n\033[31mred\r\n\0nul\n' >&2
head -c 10000 /dev/zero | tr '\0' 'x' >&2; echo >&2
cat"""


def objects_of(text):
    found = []
    for line in text.split("\n")[:-1]:
        entry = json.loads(line)
        assert list(entry)[:2] == ["time", "level"] and list(entry)[-1] == "message", entry
        assert datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00")).tzinfo, entry
        assert entry["level"] in ("error", "warning", "info"), entry
        found.append(entry)
    assert text.endswith("}\n"), text[-200:]
    return found


def logs_as_json(coord, _):
    plan = {
        "plugins": ["libpystream_testing.so"],
        "source": {"type": "generate", "params": {"size": 8, "count": 40}},
        "stages": [
            {"name": "Nasty", "type": "exec", "params": {"command": ["sh", "-c", NASTY], "framing": {"fixed": 8}}},
            {"name": "Fragile", "type": "test.crash", "params": {"how": "segv", "sequence": 7, "attempts": 9}, "max_attempts": 2}],
        "sink": {"type": "discard"},
    }
    code, out, err = coord.run("run", coord.plan("nasty.json", plan), "--log-format", "json")
    entries = objects_of(err)
    assert code == 3 and out == "", (code, out, err)
    assert all(entry["pipeline"] == "nasty" for entry in entries), entries
    printed = [entry["message"] for entry in entries if entry.get("stage") == "Nasty" and entry["level"] == "info"]
    assert "plain" in printed and "\ufffd\ufffd no UTF-8" in printed, printed
    assert '"quoted" \\ {"level":"error"}' in printed and "\x1b[31mred\r" in printed and "\0nul" in printed, printed
    assert sum(message.count("x") for message in printed if set(message) == {"x"}) == 10000, "the long line is there in parts"
    deaths = [entry for entry in entries if entry.get("stage") == "Fragile"]
    assert 7 in {entry.get("item") for entry in deaths}, deaths
    assert any(entry["level"] == "error" and "#0 " in entry["message"] for entry in deaths), "a stack"
    assert any("it is restarted" in entry["message"] for entry in deaths), deaths
    assert entries[-1]["level"] == "error" and "1 became a dead letter" in entries[-1]["message"], entries[-1]


def logs_the_end_and_faults_as_json(coord, _):
    code, _, err = coord.run("run", coord.plan("good.json", waiting_plan(3)), "--log-format", "json")
    entries = objects_of(err)
    assert code == 0 and entries[-1]["level"] == "info" and entries[-1]["message"] == "3 items in, 3 out", entries
    bad = coord.plan("bad.json", {"source": {"type": "nothing"}, "stages": [{"nme": "x"}], "sink": {"type": "discard"}})
    for arguments in [[bad], [str(coord.folder / "no such")], [bad, "--itms", "3"], [bad, "--duration", "3"]]:
        code, _, err = coord.run("run", *arguments, "--log-format", "json")
        assert code == 2 and objects_of(err)[-1]["level"] == "error", err


def relays_its_profiler_process(coord, _):
    """What the process beside the workers writes is JSON, too: here that it cannot be run."""
    worker = coord.folder / "worker"
    real = pathlib.Path(coord.program).parent.parent.parent / "workers" / "pystream-worker"
    worker.write_text(f'#!/bin/sh\n[ "$1" = profiler ] && {{ echo "raw words" >&2; exit 1; }}\nexec {real} "$@"\n')
    worker.chmod(0o755)
    code, _, err = coord.run("run", coord.plan("profiler.json", waiting_plan(3)), "--log-format", "json", "--worker-program", str(worker))
    entries = objects_of(err)
    assert code == 0 and any(entry["message"] == "raw words" for entry in entries), err


def tells_the_journal_the_level(coord, _):
    plan = waiting_plan(3)
    plan["stages"].append({"name": "Says", "type": "exec", "params": {"command": ["sh", "-c", "echo '<0>hello' >&2; cat"], "framing": {"fixed": 8}}})
    file = coord.plan("journal.json", plan)
    log = coord.folder / "journal"
    for arguments, same in [([], True), ([], False), (["--log-format", "journal"], False), (["--log-format", "text"], True)]:
        with open(log, "w", encoding="utf-8") as stream:
            info = os.fstat(stream.fileno())
            number = info.st_ino if same else info.st_ino + 1
            run = coord.start("run", file, *arguments, stderr=stream, environment={"JOURNAL_STREAM": f"{info.st_dev}:{number}"})
            assert run.wait(PATIENCE_S) == 0
        lines = log.read_text().splitlines()
        if arguments[-1:] == ["journal"] or (same and not arguments):
            assert "<6>[Says] <0>hello" in lines, lines
            assert all(line[:3] in ("<3>", "<4>", "<6>") for line in lines), lines
            assert any(line.startswith("<6>") and "Wait" in line for line in lines), "the table"
        else:
            assert "pystream-coord: [Says] <0>hello" in lines, lines


def has_a_unit_that_systemd_accepts(coord, examples):
    """With the program of this build in place of the installed one."""
    unit = (examples / "systemd/pystream@.service").read_text()
    drain = next(int(word[:-1]) for word in unit.split() if word.endswith("s") and word[:-1].isdigit())
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))
    assert int(settings["TimeoutStopSec"][:-1]) >= drain + 20, "a drain, and the end of the profile"
    assert settings["KillMode"] == "mixed" and settings["Type"] == "notify" and settings["OOMPolicy"] == "continue", settings
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        print("not checked by systemd: there is no systemd-analyze")
        return
    folder = coord.folder / "units"
    folder.mkdir()
    file = folder / "pystream@.service"
    file.write_text(unit.replace("/usr/bin/pystream-coord", coord.program))
    verify = [analyze, "verify", "--man=no", "--recursive-errors=no", str(folder / "pystream@camera.service")]
    (folder / "pystream@camera.service").symlink_to(file)
    found = subprocess.run(verify, capture_output=True, text=True, timeout=PATIENCE_S)
    assert found.returncode == 0 and "pystream@" not in found.stderr, found.stderr
    file.write_text(file.read_text() + "\n[Service]\nKillMod=mixed\n")
    found = subprocess.run(verify, capture_output=True, text=True, timeout=PATIENCE_S)
    assert "KillMod" in found.stderr, f"this check finds nothing: {found.stderr}"


STEPS = [tells_the_service_manager, is_ready_only_when_every_worker_is, keeps_the_watchdog_quiet_unless_it_is_stuck,
         goes_on_without_its_service_manager, logs_as_json, logs_the_end_and_faults_as_json, relays_its_profiler_process,
         tells_the_journal_the_level, has_a_unit_that_systemd_accepts]


def main(program, examples, *only):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        coord = Coord(program, folder)
        try:
            for step in STEPS:
                if not only or step.__name__ in only:
                    print(f"{step.__name__.replace('_', ' ')} …", flush=True)
                    step(coord, pathlib.Path(os.path.abspath(examples)))
        finally:
            coord.close()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
