#!/usr/bin/env python3
"""The manual pages: one for each command with every option that its help has, and fine in the eyes of mandoc and groff.

manual_test.py PYSTREAM-COORD PAGE...     PAGE: what is installed
manual_test.py --self-test                checks that every rule can fail
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from self_testing import main_of  # noqa: E402

# Pages have no date: the same sources give the same pages.
ACCEPTED = re.compile(r'missing date, using ""')


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def plain(page):
    """A page as a reader sees it, without line breaks."""
    shown = run("mandoc", "-Tutf8", "-Owidth=1000", str(page)).stdout
    return re.sub(r".\x08", "", shown)


def commands_of(coord):
    """The commands that help lists."""
    listing = run(coord, "--help").stdout
    return re.findall(r"^  ([a-z][\w-]*)  ", listing.partition("Subcommands:")[2], re.MULTILINE)


def options_of(text):
    """The long names of options."""
    return set(re.findall(r"^\s+(?:-\w, *)?(--[\w-]+)", text, re.MULTILINE))


def help_of(coord, command):
    """Of a command and of the commands that it has."""
    text = run(coord, command, "--help").stdout
    inner = re.findall(r"^  ([a-z][\w-]*)  ", text.partition("Subcommands:")[2], re.MULTILINE)
    return text + "".join(run(coord, command, one, "--help").stdout for one in inner)


def lint_faults(page):
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    said = run("mandoc", "-Tlint", "-Wwarning", str(page)).stdout
    yield from (line for line in said.splitlines() if not ACCEPTED.search(line))
    yield from run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page), env=environment).stderr.splitlines()


def faults_of(files, helps):
    """`helps`: the help of each page by its name."""
    pages = {page.name: page for page in files}
    for name in sorted(helps.keys() - pages.keys()):
        yield f"there is no page {name}"
    for name, page in sorted(pages.items()):
        if page.read_text(encoding="utf-8").count("\n.SH ") < 3:
            yield f"{name} has hardly any section"
        yield from (f"{name}: {fault}" for fault in lint_faults(page))
        shown = plain(page)
        for option in sorted(options_of(helps.get(name, ""))):
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown):
                yield f"{name} does not tell of {option}"


def check(coord, *pages):
    coord = os.path.abspath(coord)
    commands = commands_of(coord)
    helps = {f"pystream-coord-{command}.1": help_of(coord, command) for command in commands}
    helps |= {"pystream-coord.1": run(coord, "--help").stdout, "pystream-worker.1": "", "pystream-plan.5": ""}
    faults = list(faults_of([pathlib.Path(os.path.abspath(page)) for page in pages], helps))
    if len(commands) < 10:
        faults.append(f"help lists the commands {commands} only")
    print("\n".join(faults) if faults else f"{len(helps)} pages are fine")
    return faults


GOOD = '.TH A 1 "" "a" "a"\n.SH NAME\na \\- does\n.SH SYNOPSIS\na\n.SH OPTIONS\n.TP\n\\fB\\-\\-all\\fR\neverything\n.SH EXAMPLES\na\n'


def self_test():
    wrong = {
        "has hardly any section": GOOD.replace(".SH SYNOPSIS\n", "").replace(".SH EXAMPLES\n", "").replace(".SH OPTIONS\n", ""),
        "a.1:": GOOD.replace(".TP", ".TQP"),
        "does not tell of --all": GOOD.replace("\\-\\-all", "\\-\\-any"),
    }
    helps = {"a.1": "  --all    everything\n"}
    with tempfile.TemporaryDirectory() as name:
        page = pathlib.Path(name) / "a.1"
        if not any("no page a.1" in fault for fault in faults_of([], helps)):
            return "a missing page is not found"
        for expected, text in {"": GOOD, **wrong}.items():
            page.write_text(text, encoding="utf-8")
            found = list(faults_of([page], helps))
            if (expected == "" and found) or not (expected == "" or any(expected in fault for fault in found)):
                return f"expected {expected!r}, found {found}"
    return None


if __name__ == "__main__":
    sys.exit(main_of(__doc__, self_test, check, 2))
