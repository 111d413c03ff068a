#!/usr/bin/env python3
"""The page of `pystream-coord serve` in a real browser, with a real pipeline.

page_test.py COORD [FOLDER]    with a folder, screenshots are left there
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from browser import Browser, Missing, until

# Names and items that would be markup, if anybody took them for it.
NAME = f"cam<b>&'{os.getpid()}"  # every pipeline of this user is on the page, those of other tests too
ITEM = "<img src=x onerror=\"document.title='owned'\">"
KEEPS_LINES = 3  # a letter is made of this one


class Coord:
    """Programs of the build, with a profiler folder of their own."""

    def __init__(self, program, folder):
        self.program = os.path.abspath(program)  # it is started in another folder
        self.folder = folder
        self.environment = dict(os.environ, PYSTREAM_PROFILES=str(folder / "profiles"))
        self.running = []

    def start(self, *arguments, **options):
        process = subprocess.Popen([self.program, *arguments], env=self.environment, cwd=self.folder, text=True, **options)
        self.running.append(process)
        return process

    def close(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()


def plan_of(folder, stages, lines):
    (folder / "in.txt").write_text("".join(lines))
    plan = {
        "plugins": ["libpystream_testing.so"],
        "source": {"type": "lines", "params": {"path": str(folder / "in.txt")}},
        "stages": stages,
        "sink": {"type": "file_writer", "params": {"path": str(folder / "out.txt")}},
    }
    file = folder / f"{NAME}.json"
    file.write_text(json.dumps(plan))
    return file


def stages():
    return [
        {"name": "Decode", "type": "test.crash", "params": {"how": "throw", "sequence": KEEPS_LINES, "attempts": 1000}},
        {"name": "Detect", "type": "wait", "params": {"time": "4ms"}, "replicas": 2},
        {"name": "Row", "mode": "serial", "stages": [{"name": "Scale", "type": "wait", "params": {"time": "50us"}}, {"name": "Mark", "type": "wait", "params": {"time": "20us"}}]},
    ]


def pid_of(browser, stage):
    """From the table of stages."""
    return browser.run("const row = [...document.querySelectorAll('tr')].find(r => r.id.endsWith(arguments[0]));"
                       "const cell = row && row.querySelector('td[data-label=pid]'); return cell ? Number(cell.textContent) : 0", stage)


def cell_of(browser, stage, column):
    return browser.run("const row = [...document.querySelectorAll('tr')].find(r => r.id.endsWith(arguments[0]));"
                       "const cell = row && row.querySelector(`td[data-label='${arguments[1]}']`); return cell ? cell.textContent : null", stage, column)


def is_wider(browser):
    """Whether the page can be scrolled sideways."""
    return browser.run("return document.documentElement.scrollWidth > document.documentElement.clientWidth")


class PageTest:
    def __init__(self, browser, coord, pictures):
        self.browser = browser
        self.coord = coord
        self.pictures = pictures

    def picture(self, name):
        """On a desk, in the dark, on a phone: nothing is wider than the window."""
        shots = [("", 1280, "light", False), ("-dark", 1280, "dark", False), ("-phone", 375, "light", True)]
        for suffix, width, scheme, phone in shots:
            self.browser.size(width, 812, phone)
            self.browser.media(scheme)
            until(lambda: not is_wider(self.browser), f"{name}{suffix} fits its window")
            if self.pictures:
                until(lambda: not self.browser.run("return document.getAnimations().length"), "nothing moves")
                self.browser.screenshot(self.pictures / f"{name}{suffix}.png")
        self.browser.size(1280, 812)
        self.browser.media()

    def sees_pipeline_appear(self):
        self.browser.wait_for_text("up to date")  # pipelines of other tests may run now
        assert NAME not in self.browser.text()
        lines = [f"{ITEM} {n}\n" for n in range(100_000)]
        self.run = self.coord.start("run", str(plan_of(self.coord.folder, stages(), lines)), "-q", "--accept-dead-letters")
        self.browser.wait_for_text(re.escape(NAME))
        self.browser.wait_for_text("1 item given up by Decode, 1 kept")
        self.picture("overview")

    def opens_it_with_the_keyboard(self):
        self.browser.run("document.querySelector('.skip').focus()")
        for _ in range(40):
            self.browser.keys("Tab")
            if self.browser.run("return document.activeElement.matches('.card') && document.activeElement.textContent.includes(arguments[0])", NAME):
                break
        else:
            raise AssertionError("the card is not reached with the Tab key")
        self.browser.keys("Enter")
        until(lambda: cell_of(self.browser, "__Mark", "items/s"), "the table of stages")
        until(lambda: self.browser.run("return document.querySelectorAll('svg .boxes a').length") >= 6, "the graph")
        until(lambda: "\u25c0 limits" in (self.browser.text()), "the bottleneck")

    def sees_a_restart(self):
        pid = until(lambda: pid_of(self.browser, "Row__Scale"), "the worker's process id")
        before = self.browser.run("return performance.timeOrigin")
        os.kill(pid, signal.SIGKILL)
        until(lambda: cell_of(self.browser, "Row__Scale", "restarts") == "1", "the restart in the table")
        self.browser.wait_for_text("1 restart in the last two minutes: Row")
        assert pid_of(self.browser, "Row__Scale") != pid
        assert self.browser.run("return performance.timeOrigin") == before, "the page was loaded anew"
        self.picture("pipeline")

    def opens_a_dead_letter(self):
        self.browser.click("nav a", "Dead letters")
        self.browser.click("td a", "1")
        self.browser.wait_for_text("gave up")
        shown = until(lambda: self.browser.run("const e = document.getElementById('bytes'); return e && e.textContent"), "the bytes")
        assert shown == f"{ITEM} {KEEPS_LINES}", shown
        self.browser.click("button", "As hex")
        until(lambda: "3c 69 6d 67" in self.browser.text(), "the bytes as numbers")
        self.browser.click("button", "As text")
        self.picture("letter")

    def replays_it(self):
        self.browser.click("#replay")
        self.browser.click("dialog button", "Replay")
        said = until(lambda: self.browser.run("const e = document.getElementById('replayed'); return e && e.textContent"), "the end of the replay")
        assert "went through" in said and "1 letter replayed from Decode on: 1 came out" in said, said
        made = list((self.coord.folder / "profiles" / "replays").iterdir())
        assert len(made) == 1 and made[0].read_text() == f"{ITEM} {KEEPS_LINES}\n", [file.read_text() for file in made]

    def stops_it(self):
        self.browser.click("nav a", "Overview")
        self.browser.click(".card", NAME)
        self.browser.click("#stop")
        self.browser.click("dialog button", "Drain")
        assert self.run.wait(120) == 0
        self.browser.wait_for_text("has ended")
        self.browser.click(".notice a", "did")
        self.browser.wait_for_text("Bottleneck")
        until(lambda: self.browser.run("return document.querySelectorAll('.chart .line').length") > 5, "the charts")
        self.picture("run")
        self.browser.media(medium="print")
        if self.pictures:
            self.browser.screenshot(self.pictures / "run-print.png")
        self.browser.media()

    def compares_runs(self):
        lines = [f"{n}\n" for n in range(2_000)]
        file = plan_of(self.coord.folder, stages()[1:], lines)
        assert self.coord.start("run", str(file), "-q").wait(120) == 0
        self.browser.click("nav a", "History")
        for box in [0, 2]:  # the newest is first, and the replay is between
            until(lambda n=box: self.browser.run("const b = document.querySelectorAll('td input')[arguments[0]]; if (b && !b.checked) b.click(); return b && b.checked", n), "a choice")
        self.picture("runs")
        self.browser.click("#compare")
        self.browser.wait_for_text("Run 1 and run 3")
        until(lambda: self.browser.run("return document.querySelectorAll('.chart .line').length") > 10, "the charts of two runs")
        self.picture("compare")

    def nothing_was_taken_for_markup(self):
        assert self.browser.run("return document.querySelectorAll('main b, main img').length") == 0
        assert "owned" not in self.browser.run("return document.title")
        complaints = [line for line in self.browser.complaints() if "status of 404" not in line]
        assert not complaints, complaints

    def all(self):
        for step in [self.sees_pipeline_appear, self.opens_it_with_the_keyboard, self.sees_a_restart, self.opens_a_dead_letter,
                     self.replays_it, self.stops_it, self.compares_runs, self.nothing_was_taken_for_markup]:
            print(f"{step.__name__.replace('_', ' ')} …", flush=True)
            step()


def control_is_refused(address, token):
    """Without the token, and from elsewhere."""
    origin = address.rstrip("/")
    for headers in [{"Origin": origin}, {"Authorization": f"Bearer {token}"},
                    {"Origin": "http://evil.example", "Authorization": f"Bearer {token}"},
                    {"Origin": origin, "Authorization": f"Bearer {token}", "Host": "evil.example"}]:
        request = urllib.request.Request(f"{address}api/stop?pid=1", b"", headers, method="POST")
        try:
            urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            assert error.code in (401, 403, 421), error.code
        else:
            raise AssertionError(f"control was allowed with {headers}")
    with urllib.request.urlopen(address, timeout=60) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, policy


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 2
    pictures = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else None
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        coord = Coord(sys.argv[1], pathlib.Path(name))
        try:
            server = coord.start("serve", "--listen", "127.0.0.1:0", "--allow-control", stdout=subprocess.PIPE)
            address, _, token = server.stdout.readline().strip().partition("#token=")
            control_is_refused(address, token)
            with Browser() as browser:
                browser.open(f"{address}#token={token}")
                PageTest(browser, coord, pictures).all()
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0, "the server did not end by itself"
        except Missing as missing:
            print(missing)
            return 77
        finally:
            coord.close()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
