"""Runs pytest and tells each test as a line of TAP, which meson counts: run_pytest.py FOLDER-OF-PACKAGE PYTEST-ARGUMENT..."""

import os
import pathlib
import sys

import pytest


class Tap:
    """Collects what becomes of each test."""

    def __init__(self) -> None:
        self.lines = []
        self.count = 0

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or (report.when == "setup" and not report.passed) or report.failed:
            self.add(report.nodeid, report)

    def pytest_collectreport(self, report):
        if report.failed:
            self.add(report.nodeid, report)

    def add(self, name, report):
        word = "not ok" if report.failed else "ok"
        skipped = f" # SKIP {report.longrepr[2]}" if report.skipped and isinstance(report.longrepr, tuple) else ""
        self.count += 1
        self.lines.append(f"{word} {self.count} - {name.replace('#', ' ')}{skipped}")
        if report.failed:
            self.lines += [f"# {line}" for line in report.longreprtext.splitlines()]


def main() -> int:
    package, *arguments = sys.argv[1:]
    os.environ["PYTHONPATH"] = os.pathsep.join([package, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    sys.path.insert(0, package)
    tap_output = os.dup(1)
    os.dup2(2, 1)  # what pytest and the tests print is no TAP
    tap = Tap()
    here = str(pathlib.Path(__file__).resolve().parent)
    code = pytest.main(["-p", "no:cacheprovider", "--rootdir", here, "-q", *arguments], plugins=[tap])
    with os.fdopen(tap_output, "w") as output:
        output.write("\n".join([f"1..{tap.count}", *tap.lines, ""]))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
