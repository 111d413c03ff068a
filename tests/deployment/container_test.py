#!/usr/bin/env python3
"""pystream-coord as in a container, as far as namespaces without a container program go: as the first process of its PID
namespace, with nothing but a read-only root, with a memory limit. Skipped where this user may not make namespaces.

container_test.py COORD
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from deployed import Coord, PATIENCE_S, children_of, waiting_plan, wait_for

NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]

# In a mount namespace: everything is read-only, and there is no usable /dev/shm. $1: the only folder that can be written, or "".
READ_ONLY = r"""
set -e
mount --make-rprivate /
if [ -n "$1" ]; then mount --bind "$1" "$1"; fi
for folder in $(awk '{print $5}' /proc/self/mountinfo); do
  case "$folder" in
    /proc* | /sys* | /dev*) ;;
    "${1:-//}") ;;
    *) mount -o remount,bind,ro "$folder" 2>/dev/null || [ "$folder" != / ] ;;
  esac
done
[ ! -d /dev/shm ] || mount -t tmpfs -o ro,size=4k none /dev/shm
if touch /read-only-test 2>/dev/null || touch /dev/shm/test 2>/dev/null; then
  echo "something can be written" >&2
  exit 99
fi
shift
exec "$@"
"""


class Skipped(Exception):
    pass


def first_process(run):
    """The process that is PID 1 in the namespace, by its number outside."""
    return wait_for("the first process runs", lambda: [pid for pid in children_of(run.pid) if is_program(pid)])[0]


def is_program(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("pystream-coord")
    except OSError:
        return False


def workers_of(first):
    """The processes below the one that works."""
    below = wait_for("it works", lambda: list(children_of(first)))
    return children_of(below[0])


def drains_as_first_process(coord):
    out = coord.folder / "numbers"
    sink = {"type": "file_writer", "params": {"path": str(out), "newline": "never"}}
    run = coord.start("run", coord.plan("first.json", waiting_plan(time_ms=5, sink=sink)), "-q", prefix=NAMESPACE, stderr=subprocess.PIPE)
    wait_for("items come out", lambda: out.exists() and out.stat().st_size > 80)
    os.kill(first_process(run), signal.SIGTERM)
    assert run.wait(PATIENCE_S) == 0, run.stderr.read()
    assert out.stat().st_size % 8 == 0, "whole items"


def can_be_ended_before_it_runs(coord):
    """The first process of a namespace ignores signals that it does not handle: `podman stop` had no effect then."""
    fifo = coord.folder / "waits.json"
    os.mkfifo(fifo)
    run = coord.start("run", str(fifo), prefix=NAMESPACE)
    first = first_process(run)
    wait_for("it works", lambda: children_of(first))
    os.kill(first, signal.SIGTERM)
    assert run.wait(PATIENCE_S) == 128 + signal.SIGTERM, run.returncode


def passes_exit_codes_on(coord):
    bad = coord.plan("wrong.json", {})
    failing = waiting_plan(5)
    failing["plugins"] = ["libpystream_testing.so"]
    failing["stages"].append({"name": "Fragile", "type": "test.crash", "params": {"how": "throw", "sequence": 2, "attempts": 9}})
    for arguments, expected in [(["run", coord.plan("three.json", waiting_plan(3)), "-q"], 0), (["run", bad], 2),
                                (["run", coord.plan("failing.json", failing), "-q"], 3), (["--version"], 0)]:
        code, _, err = coord.run(*arguments, prefix=NAMESPACE)
        assert code == expected, (arguments, code, err)
    run = coord.start("run", coord.plan("stopped.json", waiting_plan(time_ms=60_000)), "-q", prefix=NAMESPACE)
    first = first_process(run)
    wait_for("the workers run", lambda: len(workers_of(first)) >= 3)
    os.kill(first, signal.SIGQUIT)
    assert run.wait(PATIENCE_S) == 130, run.returncode


def reaps_what_others_leave(coord):
    run = coord.start("run", coord.plan("reaps.json", waiting_plan()), "-q", prefix=NAMESPACE)
    first = first_process(run)
    wait_for("the workers run", lambda: len(workers_of(first)) >= 3)
    before = set(children_of(first))
    fifo = coord.folder / "go"
    os.mkfifo(fifo)
    # Two processes whose parent dies at once: the namespace's first process becomes the parent. One ends when it is told.
    orphans = f"sh -c 'read line <{fifo} & sleep 3600 & exit 0'"
    subprocess.run(["nsenter", "--target", str(first), "--pid", "sh", "-c", orphans], check=True, timeout=PATIENCE_S)
    wait_for("it has adopted them", lambda: len(set(children_of(first)) - before) == 2)
    adopted = set(children_of(first)) - before
    fifo.write_text("go\n")
    wait_for("the one that ends is reaped", lambda: len(set(children_of(first)) & adopted) == 1)
    assert "Z" not in children_of(first).values()
    os.kill(first, signal.SIGTERM)
    assert run.wait(PATIENCE_S) == 0
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in adopted), "something outlives the namespace"


def in_read_only_root(coord, writable, environment, plan, below=()):
    prefix = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", READ_ONLY, "sh", str(writable or ""), *below]
    return coord.run("run", plan, prefix=prefix, environment={"HOME": None, "XDG_STATE_HOME": None, "TMPDIR": None, **environment})


def runs_with_a_read_only_root(coord):
    """One folder for the profile and the output is enough: no /tmp, no /dev/shm, no HOME."""
    state = coord.folder / "state"
    state.mkdir()
    sink = {"type": "file_writer", "params": {"path": str(state / "numbers"), "newline": "never"}}
    code, _, err = in_read_only_root(coord, state, {"PYSTREAM_PROFILES": str(state)}, coord.plan("ro.json", waiting_plan(10, 1, sink)))
    assert code == 0 and (state / "numbers").stat().st_size == 80, err
    assert "no profile" not in err and (state / "last_profiles.sqlite").exists(), err


def says_what_to_set(coord):
    """Nothing at all can be written: the pipeline runs, and the message names what to set."""
    plan = coord.plan("nothing.json", waiting_plan(3, 1))
    user = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]  # whom no list of users knows
    coord.folder.chmod(0o755)
    if subprocess.run([*user, "test", "-x", coord.program], check=False).returncode == 0:
        code, _, err = in_read_only_root(coord, None, {"PYSTREAM_PROFILES": None}, plan, user)
        assert code == 0, err
        assert "no profile is written" in err and "set PYSTREAM_PROFILES" in err and "/tmp/pystream-54321" in err, err
    else:
        print("skipped for a user without a home: another user cannot reach the program of this build")
    code, _, err = in_read_only_root(coord, None, {"PYSTREAM_PROFILES": "/var/no/such"}, plan)
    assert code == 0 and "no profile is written" in err and "/var/no/such" in err and "PYSTREAM_PROFILES" in err, err
    home = coord.folder / "home"
    state = home / ".local/state/pystream"
    for made in [home, state]:
        made.mkdir(parents=True)
        code, _, err = in_read_only_root(coord, None, {"PYSTREAM_PROFILES": None, "HOME": str(home)}, plan)
        assert code == 0 and "no profile is written" in err and str(state) in err and "PYSTREAM_PROFILES" in err, err


class MemoryGroup:
    """A control group with a memory limit, of version 1 or 2."""

    def __init__(self, limit):
        name = f"pystream-test-{os.getpid()}"
        first, second = pathlib.Path("/sys/fs/cgroup/memory"), pathlib.Path("/sys/fs/cgroup")
        root, file = (first, "memory.limit_in_bytes") if first.is_dir() else (second, "memory.max")
        self.path = root / name
        try:
            self.path.mkdir()
            (self.path / file).write_text(str(limit))
            swap = "memory.swappiness" if root == first else "memory.swap.max"
            if (self.path / swap).exists():
                (self.path / swap).write_text("0")
        except OSError as error:
            if self.path.is_dir():
                self.path.rmdir()
            raise Skipped(f"no control group with a memory limit: {error}") from error

    def prefix(self):
        return ["sh", "-c", f'echo $$ >{self.path}/cgroup.procs && exec "$@"', "sh"]

    def close(self):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.path.rmdir()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def survives_a_memory_limit(coord):
    """The kernel kills the worker that needs too much; the coordinator says why, and the pipeline goes on."""
    plan = waiting_plan(6, 1)
    plan["plugins"] = ["libpystream_testing.so"]
    plan["links"]["capacity"]["bytes"] = "1MiB"
    plan["stages"].append({"name": "Greedy", "type": "test.leak", "params": {"bytes": 64 << 20}, "max_attempts": 2})
    group = MemoryGroup(200 << 20)
    try:
        code, _, err = coord.run("run", coord.plan("greedy.json", plan), prefix=group.prefix())
    finally:
        group.close()
    assert "out of memory" in err.lower() or "memory" in err, err
    assert "Greedy" in err and "SIGKILL" in err and code in (0, 1, 3), (code, err)


STEPS = [drains_as_first_process, can_be_ended_before_it_runs, passes_exit_codes_on, reaps_what_others_leave, runs_with_a_read_only_root,
         says_what_to_set, survives_a_memory_limit]


def has_namespaces():
    unshare = shutil.which("unshare")
    return unshare and subprocess.run([*NAMESPACE, "--mount", "true"], capture_output=True, timeout=PATIENCE_S).returncode == 0


def main(program, *only):
    if not has_namespaces():
        print("skipped: this user may not make namespaces")
        return 77
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        coord = Coord(program, folder)
        try:
            for step in STEPS:
                if only and step.__name__ not in only:
                    continue
                print(f"{step.__name__.replace('_', ' ')} …", flush=True)
                try:
                    step(coord)
                except Skipped as reason:
                    print(f"skipped: {reason}")
        finally:
            coord.close()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
