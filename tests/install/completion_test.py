#!/usr/bin/env python3
"""Completion of pystream-coord in bash, zsh and fish: keys typed at the shells themselves, on a terminal.

usage: completion_test.py SHELLS-FOLDER PYSTREAM-COORD
"""
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time

DEADLINE_S = 60

PLAN = {
    "source": {"type": "generate", "params": {"size": 8}},
    "stages": [{"name": "Slow", "type": "wait", "params": {"time": "10ms"}}],
    "sink": {"type": "discard"},
}


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command, environment, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.text = ""

    def type(self, keys):
        self.text = ""
        os.write(self.fd, keys.encode())

    def wait_for(self, wanted):
        """Reads until the text is there; False if it does not come."""
        end = time.monotonic() + DEADLINE_S
        while wanted not in self.text:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                return False
            try:
                # zsh rings before it writes.
                self.text += os.read(self.fd, 65536).decode(errors="replace").replace("\a", "")
            except OSError:
                return False
        return True

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


class Bash:
    name = "bash"

    def __init__(self, shells, folder):
        self.start = folder / "bashrc"
        self.start.write_text(
            f"PS1='ready> '\nbind 'set enable-bracketed-paste off'\nbind 'set show-all-if-ambiguous on'\n"
            f"bind 'set completion-query-items 1000'\nbind 'set page-completions off'\n"
            f"source /usr/share/bash-completion/bash_completion\nsource {shells}/pystream-coord.bash\n",
            encoding="utf-8")
        self.command = ["bash", "--noprofile", "--rcfile", str(self.start), "-i"]


class Zsh:
    name = "zsh"

    def __init__(self, shells, folder):
        (folder / "zsh").mkdir()
        (folder / "zsh/.zshrc").write_text(
            f"PS1='ready> '\nunset zle_bracketed_paste\nunsetopt prompt_sp list_ambiguous\nsetopt auto_list\n"
            f"fpath=({shells} $fpath)\nautoload -Uz compinit\ncompinit -u -d {folder}/zsh/dump\n"
            f"zstyle ':completion:*' list-prompt ''\nLISTMAX=1000\n",
            encoding="utf-8")
        self.command = ["zsh", "-i"]
        self.environment = {"ZDOTDIR": str(folder / "zsh")}


def shown_by_keys(shell, line, wanted, folder, environment):
    """What the shell shows after the line and a tab; the wanted text ends the wait."""
    terminal = Terminal(shell.command, {**environment, **getattr(shell, "environment", {})}, folder)
    try:
        if not terminal.wait_for("ready> "):
            return f"no prompt: {terminal.text!r}"
        terminal.type(line + "\t")
        if not terminal.wait_for(wanted):
            return f"no {wanted!r} after {line!r} and a tab: {terminal.text!r}"
        return None
    finally:
        terminal.close()


def shown_by_fish(shells, line, folder, environment):
    script = f"source {shells}/pystream-coord.fish; complete -C {json.dumps(line)}"
    result = subprocess.run(["fish", "--no-config", "-c", script], cwd=folder, env=environment, capture_output=True, text=True,
                            check=False, timeout=DEADLINE_S)
    return result.stdout + result.stderr


class Running:
    """A pipeline that runs until the end of the block."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(["pystream-coord", "run", "--quiet", "endless.json"], cwd=folder, env=environment)
        self.environment = environment

    def __enter__(self):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            listing = subprocess.run(["pystream-coord", "list", "--json"], env=self.environment, capture_output=True, text=True,
                                     check=True)
            if any(one["pid"] == self.process.pid for one in json.loads(listing.stdout)):
                return self
            time.sleep(0.1)
        raise SystemExit("the pipeline does not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


# What is typed, what must be shown then, what must not.
CASES = [
    ("pystream-coord valid", "validate ", "complete"),          # a command
    ("pystream-coord run --log-l", "--log-level ", "--metrics"),  # an option
    ("pystream-coord run --log-level=w", "warning", "info"),    # a word of an enumeration, in either form
    ("pystream-coord run --log-level e", "error ", "info"),
    ("pystream-coord dead-letters rep", "replay ", "list"),     # a command of a command
    ("pystream-coord validate end", "endless.json ", "other"),  # a plan
    ("pystream-coord run endless.json --set Slow.t", "Slow.time=", "Slow.replicas"),
    ("pystream-coord stages file_w", "file_writer ", "generate"),
    ("pystream-coord stop endl", "endless", "other"),           # a pipeline that runs
]


def main(shells, coord):
    shells, coord = os.path.abspath(shells), pathlib.Path(os.path.abspath(coord))
    faults = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        work = folder / "work"
        work.mkdir()
        (work / "endless.json").write_text(json.dumps(PLAN), encoding="utf-8")
        (work / "other.json").write_text("{}", encoding="utf-8")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYSTREAM_")}
        environment |= {"PATH": f"{coord.parent}:{os.environ['PATH']}", "TERM": "dumb", "HOME": name,
                        "XDG_STATE_HOME": f"{name}/state", "LC_ALL": "C.UTF-8"}
        keyed = [Bash(shells, folder), Zsh(shells, folder)]
        with Running(work, environment):
            for line, wanted, unwanted in CASES:
                for shell in keyed:
                    fault = shown_by_keys(shell, line, wanted.rstrip(), work, environment)
                    if fault:
                        faults.append(f"{shell.name}: {fault}")
                shown = shown_by_fish(shells, line, work, environment)
                words = [word.split("\t")[0] for word in shown.splitlines()]
                if not any(wanted.strip() in word for word in words) or any(unwanted in word for word in words):
                    faults.append(f"fish: {line!r} gives {shown!r}, expected {wanted!r} and no {unwanted!r}")
    print("\n".join(faults) if faults else f"{len(CASES)} lines are completed by bash, zsh and fish")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
