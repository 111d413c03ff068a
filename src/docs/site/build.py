#!/usr/bin/env python3
"""Builds the site: every page of the documentation, the references that pystream-coord gives, and the C++ interface.

usage: build.py ROOT PYSTREAM-COORD VERSION OUT
Needs pandoc, doxygen and dot. See scripts/site.sh.
"""
import concurrent.futures
import html
import pathlib
import re
import shutil
import subprocess
import sys

import reference

TOP = {"README.md": "overview", "CONTRIBUTING.md": "contributing", "CHANGELOG.md": "changelog", "SECURITY.md": "security"}
MADE = {"plan_reference": reference.plan_reference, "stages_reference": reference.stages_reference}


def title_of(text):
    return re.search(r"^# (.*)$", text, re.MULTILINE)[1].replace("`", "")


def groups_of(index):
    """The headings of the index with the pages below each, in its order: [(heading, [(link, text)])]."""
    groups = []
    for part in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        heading = part.splitlines()[0]
        groups.append((heading, [(link, text) for text, link in re.findall(r"\[([^]]+)\]\(([\w./-]+)\)", part)]))
    return groups


def html_name(link):
    name = pathlib.PurePath(link).name
    return f"{TOP[name] if link.startswith('..') else name.removesuffix('.md')}.html"


def navigation(index, current):
    references = [("plan_reference.html", "plans"), ("stages_reference.html", "stages"), ("api/index.html", "C++ interface")]
    groups = [(heading, [(html_name(link), text) for link, text in pages]) for heading, pages in groups_of(index)]
    groups.insert(2, ("References", references))
    lines = []
    for heading, pages in groups:
        lines.append(f"<h2>{html.escape(heading)}</h2>\n<ul>")
        for link, text in pages:
            mark = ' aria-current="page"' if link == f"{current}.html" else ""
            lines.append(f'<li><a href="{link}"{mark}>{html.escape(text)}</a></li>')
        lines.append("</ul>")
    return "\n".join(lines)


class Site:
    def __init__(self, root, coord, version, out):
        self.root, self.coord, self.version, self.out = root, coord, version, out
        self.own = root / "src/docs/site"
        self.index = (root / "src/docs/README.md").read_text(encoding="utf-8")

    def convert(self, folder, source, name):
        """`source` is a path in `folder`, as it is or would be in the repository."""
        text = (folder / source).read_text(encoding="utf-8")
        command = ["pandoc", "--from", "gfm", "--to", "html5", "--standalone", "--template", self.own / "page.html",
                   "--lua-filter", self.own / "page.lua", "--highlight-style", "tango", "--wrap", "none",
                   "--variable", f"version={self.version}", "--variable", f"navigation={navigation(self.index, name)}",
                   "--metadata", f"pagetitle={title_of(text)}", "--output", self.out / f"{name}.html", source]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode != 0 or result.stderr.strip():
            raise SystemExit(f"pandoc, {source}: {result.stderr}{result.stdout}")

    def interface(self):
        settings = (self.own / "Doxyfile").read_text(encoding="utf-8")
        settings += f"\nOUTPUT_DIRECTORY = {self.out}/api\nPROJECT_NUMBER = {self.version}\n"
        (self.out / "api").mkdir()
        result = subprocess.run(["doxygen", "-"], cwd=self.root, input=settings, capture_output=True, text=True, check=False)
        if result.returncode != 0 or result.stderr.strip():
            raise SystemExit(f"doxygen: {result.stderr}")

    def copy_linked(self):
        """Copies of what pages link to in the repository; of a folder its files and a list of them."""
        for page in self.out.glob("*.html"):
            text = page.read_text(encoding="utf-8")
            for link in set(re.findall(r'(?:href|src)="files/([^"#]+)"', text)):
                self.copy(link)
            # Headers and the like are shown and not downloaded.
            text = re.sub(r'href="files/([^"#]+)"', lambda match: f'href="files/{self.shown(match[1])}"', text)
            page.write_text(text, encoding="utf-8")

    def shown(self, link):
        return f"{link}/index.html" if (self.root / link).is_dir() else f"{link}.txt"

    def copy(self, link):
        source = self.root / link
        files = sorted(file for file in source.iterdir() if file.is_file()) if source.is_dir() else [source]
        for file in files:
            relative = file.relative_to(self.root)
            copied = self.out / "files" / relative
            copied.parent.mkdir(parents=True, exist_ok=True)
            binary = file.suffix in {".jpg", ".png"}
            shutil.copyfile(file, copied if binary else copied.with_name(copied.name + ".txt"))
        if source.is_dir():
            items = "".join(f'<li><a href="{file.name}.txt">{file.name}</a></li>' for file in files)
            (self.out / "files" / link / "index.html").write_text(
                f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{link}</title><ul>{items}</ul></html>\n', encoding="utf-8")

    def build(self):
        pages = [(source, name) for source, name in TOP.items() if (self.root / source).exists()]
        pages += [(f"src/docs/{file.name}", "index" if file.stem == "README" else file.stem)
                  for file in sorted((self.root / "src/docs").glob("*.md"))]
        shutil.rmtree(self.out, ignore_errors=True)
        made = self.out / "made/src/docs"
        made.mkdir(parents=True)
        for name, write in MADE.items():
            (made / f"{name}.md").write_text(write(self.coord), encoding="utf-8")
        shutil.copyfile(self.own / "site.css", self.out / "site.css")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(self.interface)]
            jobs += [pool.submit(self.convert, self.root, source, name) for source, name in pages]
            for job in jobs:
                job.result()
        for name in MADE:
            self.convert(self.out / "made", f"src/docs/{name}.md", name)
        shutil.rmtree(self.out / "made")
        self.copy_linked()
        return len(pages) + len(MADE)


def main(root, coord, version, out):
    site = Site(pathlib.Path(root).resolve(), pathlib.Path(coord).resolve(), version, pathlib.Path(out).resolve())
    print(f"{site.build()} pages and the C++ interface: {site.out}/index.html")


if __name__ == "__main__":
    main(*sys.argv[1:])
