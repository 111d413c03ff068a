#!/usr/bin/env python3
"""The site is built without a warning, and every link in it leads to a file of the site, and to a place in it.

usage: site_test.py ROOT PYSTREAM-COORD VERSION | site_test.py --self-test
"""
import html.parser
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse


class Page(html.parser.HTMLParser):
    def __init__(self, file):
        super().__init__()
        self.links = []
        self.names = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            if name == "id" or (tag == "a" and name == "name"):
                self.names.add(value)


def faults_of(folder):
    pages = {file: Page(file) for file in folder.glob("**/*.html")}
    faults = []
    for file, page in pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            where = f"{file.relative_to(folder)}: {link}"
            if parts.scheme in ("http", "https"):
                faults += [f"{where} is fetched from another host"] if link in scripts_of(file) else []
                continue
            if parts.scheme:
                continue
            path = urllib.parse.unquote(parts.path)
            target = (file.parent / path).resolve() if path else file
            anchor = urllib.parse.unquote(parts.fragment)
            if not target.is_file():
                faults.append(f"{where} is not there")
            elif anchor and target in pages and anchor not in pages[target].names:
                faults.append(f"{where} names no place")
    return faults


def scripts_of(file):
    """What a browser fetches by itself: scripts, pictures and style sheets."""
    found = []

    class Fetched(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            values = dict(attrs)
            found.append(values.get("src") if tag != "link" else values.get("href"))

    Fetched().feed(file.read_text(encoding="utf-8"))
    return found


def self_test():
    bad = {'<a href="missing.html">': "is not there", '<a href="#nowhere">': "names no place",
           '<script src="https://example.com/a.js"></script>': "another host"}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder).resolve()
        for text, expected in bad.items():
            (folder / "page.html").write_text(f'<p id="here"><a href="#here">{text}', encoding="utf-8")
            faults = faults_of(folder)
            if len(faults) != 1 or expected not in faults[0]:
                raise SystemExit(f"{text}: expected {expected!r}, found {faults}")
    print(f"{len(bad)} faults found")
    return 0


def main(root, coord, version):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder).resolve() / "site"
        build = pathlib.Path(root) / "src/docs/site/build.py"
        subprocess.run([sys.executable, build, root, coord, version, out], check=True)
        faults = faults_of(out)
        pages = len(list(out.glob("*.html")))
    print("\n".join(faults) if faults else f"{pages} pages: every link leads somewhere")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(*sys.argv[1:]))
