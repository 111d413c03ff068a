"""A headless Chromium, driven through chromedriver's WebDriver protocol. Needs the standard library only."""

import base64
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Missing(Exception):
    """A program that is not installed."""


def program(*names):
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise Missing(f"{names[0]} is not installed; scripts/setup.sh test installs it")


def until(condition, what, seconds=120):
    """Waits for something true, and returns it. `what`: text, or a function that makes it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what() if callable(what) else what}")
        time.sleep(0.05)


class Browser:
    def __init__(self):
        driver = program("chromedriver")
        chromium = program("chromium", "chromium-browser", "google-chrome")
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([driver, f"--port={port}", "--log-level=SEVERE"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.ready, "chromedriver", 60)
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--window-size=1280,900", f"--user-data-dir={self.profile.name}"]
        options = {"binary": chromium, "args": arguments}
        capabilities = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options,
                                                         "goog:loggingPrefs": {"browser": "ALL"}}}}
        self.session = self.ask("POST", "/session", capabilities)["sessionId"]

    def close(self):
        try:
            self.command("DELETE", "")
        except (OSError, AssertionError):
            pass
        self.process.terminate()
        self.process.wait()
        self.profile.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ready(self):
        try:
            return self.ask("GET", "/status")["ready"]
        except (OSError, AssertionError):
            return False

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:600]}") from None

    def command(self, method, path, body=None):
        return self.ask(method, f"/session/{self.session}{path}", body)

    def open(self, address):
        self.command("POST", "/url", {"url": address})

    def run(self, script, *arguments):
        """What the script, the body of a function, returns."""
        return self.command("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self):
        return self.run("return document.body.innerText")

    def wait_for_text(self, text, seconds=120):
        return until(lambda: re.search(text, self.text()), lambda: f"{text!r} in the page, which says\n{self.text()}", seconds)

    def click(self, css, text=""):
        """On the first visible element that matches and holds the text, as a mouse does it."""
        def attempt():
            element = self.run("return [...document.querySelectorAll(arguments[0])].find(e => "
                               "(e.offsetParent || e.closest('dialog')) && !e.disabled && e.textContent.includes(arguments[1]))", css, text)
            if not element:
                return False
            try:
                self.command("POST", f"/element/{element[ELEMENT]}/click", {})
            except AssertionError as error:  # it was drawn anew meanwhile
                if "stale" in str(error) or "intercepted" in str(error) or "not interactable" in str(error):
                    return False
                raise
            return True
        until(attempt, f"{css} with {text!r}")

    def keys(self, *keys):
        """Presses keys one after another, wherever the focus is."""
        names = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Right": "\ue014", "Left": "\ue012", "Space": " "}
        actions = []
        for key in keys:
            value = names.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self.command("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def devtools(self, command, **parameters):
        return self.command("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width, height, phone=False):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def media(self, scheme="light", medium=""):
        self.devtools("Emulation.setEmulatedMedia", media=medium, features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, file, whole=True):
        if whole:
            size = self.run("return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
            picture = self.devtools("Page.captureScreenshot", captureBeyondViewport=True,
                                    clip={"x": 0, "y": 0, "width": size[0], "height": min(size[1], 6000), "scale": 1})["data"]
        else:
            picture = self.command("GET", "/screenshot")
        pathlib.Path(file).write_bytes(base64.b64decode(picture))

    def complaints(self):
        """What the browser has found wrong: errors of scripts, refused by the policy, …"""
        return [entry["message"] for entry in self.command("POST", "/se/log", {"type": "browser"}) if entry["level"] == "SEVERE"]
