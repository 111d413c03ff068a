#!/usr/bin/env python3
"""Every link of the documentation leads somewhere, and every command that it names exists.

- A link to a file or a folder: it is in the repository; with an anchor, the page has such a heading.
- `pystream-coord COMMAND --option` and `scripts/NAME.sh --option`: the program knows them.
- Every page in src/docs has its place in the index there.
- `src/...`, `tests/...`, `include/...`, `workers/...`: there is such a file or folder.

usage: links_test.py ROOT PYSTREAM-COORD | links_test.py --self-test
"""
import functools
import pathlib
import re
import subprocess
import sys
import tempfile

from page import anchors_of, blocks_of, code_spans_of, links_of, pages_of

IN_TREE = re.compile(r"^(?:src|tests|include|workers)/[\w./*-]+$")


def link_fault(root, page, target):
    if re.match(r"(https?|mailto):", target):
        return None if target.startswith(("https://", "mailto:")) else "is not encrypted"
    name, _, anchor = target.partition("#")
    file = (page.parent / name).resolve() if name else page
    if not file.exists():
        return "is not there"
    if not file.is_relative_to(root):
        return "leads out of the repository"
    if anchor and (file.suffix != ".md" or anchor not in anchors_of(file.read_text(encoding="utf-8"))):
        return f"has no heading #{anchor}"
    return None


@functools.lru_cache
def help_of(coord, *commands):
    result = subprocess.run([coord, *commands, "--help"], capture_output=True, text=True, check=False, timeout=60)
    return result.stdout if result.returncode == 0 else None


def command_fault(coord, words):
    """`words` is what follows pystream-coord."""
    names = []
    while len(names) < len(words) and re.fullmatch(r"[a-z][a-z-]*", words[len(names)]) and len(names) < 2:
        if help_of(coord, *names, words[len(names)]) is None or (names and names[0] != "dead-letters"):
            break
        names.append(words[len(names)])
    if not names and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        return f"pystream-coord has no command {words[0]}"
    known = set(re.findall(r"--?[a-z][a-z-]*", help_of(coord, *names) or ""))
    unknown = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    unknown = [word for word in unknown if word not in known]
    return f"pystream-coord {' '.join(names)} has no option {', '.join(unknown)}" if unknown else None


def script_fault(root, words):
    script = root / words[0]
    if not script.is_file():
        return f"there is no {words[0]}"
    text = script.read_text(encoding="utf-8")
    for called in re.findall(r"scripts/\w+\.(?:sh|py)", text):
        text += (root / called).read_text(encoding="utf-8") if (root / called).is_file() else ""
    unknown = [word for word in words[1:] if word.startswith("--") and word not in text]
    return f"{words[0]} has no option {', '.join(unknown)}" if unknown else None


def commands_in(line):
    """The commands of this project in a line of shell commands, each as words without quotes, pipes and comments."""
    line = re.sub(r"\s#.*", "", line)
    line = re.sub(r"'[^']*'|\"[^\"]*\"", "QUOTED", line)
    for part in re.split(r"\|\|?|&&|;|\$\(|\)|`", line):
        words = [word for word in part.split() if not re.match(r"[<>]|\d>", word)]
        for at, word in enumerate(words):
            if word == "pystream-coord" or word.endswith("/pystream-coord") or re.match(r"scripts/\w+\.sh$", word):
                yield words[at:]
                break


def command_faults(root, coord, line):
    for words in commands_in(line):
        if words[0].startswith("scripts/"):
            yield script_fault(root, words)
        else:
            yield command_fault(coord, words[1:])


def path_fault(root, code):
    if not IN_TREE.match(code):
        return None
    found = any(True for _ in root.glob(code.rstrip("/"))) or any(True for _ in root.glob(code + ".*"))
    return None if found else "there is no such file"


def faults_of(root, coord, page):
    text = page.read_text(encoding="utf-8")
    where = page.relative_to(root)
    faults = [f"{where}:{line}: link {target} {fault}" for line, target in links_of(text)
              if (fault := link_fault(root, page, target))]
    lines = [(line, code) for line, code in code_spans_of(text)]
    for block in blocks_of(page):
        if block.language == "sh":
            joined = block.code.replace("\\\n", " ")
            lines += [(block.line, line) for line in joined.splitlines()]
    for line, code in lines:
        faults += [f"{where}:{line}: {fault}: {code}" for fault in command_faults(root, coord, code) if fault]
        if (fault := path_fault(root, code)):
            faults.append(f"{where}:{line}: {fault}: {code}")
    return faults


def index_faults(root):
    """Pages that the index does not name."""
    index = root / "src/docs/README.md"
    named = {target for _, target in links_of(index.read_text(encoding="utf-8"))}
    return [f"src/docs/README.md does not name {page.name}" for page in sorted(index.parent.glob("*.md"))
            if page != index and page.name not in named]


def self_test():
    """Each kind of fault is found in a page that has it."""
    bad = {
        "[a](missing.md)": "is not there",
        "[a](#nowhere)": "has no heading",
        "[a](http://example.com)": "is not encrypted",
        "`pystream-coord rnu plan.json`": "has no command rnu",
        "`pystream-coord run --verify plan.json`": "has no option --verify",
        "```sh\npystream-coord run plan.json --itmes 3\n```": "has no option --itmes",
        "`scripts/missing.sh`": "there is no",
        "`src/missing/file.cpp`": "no such file",
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        coord = root / "coord"
        coord.write_text('#!/bin/sh\n[ "$1" = rnu ] && exit 2\necho "--help --items --set"\n', encoding="utf-8")
        coord.chmod(0o755)
        page = root / "page.md"
        for text, expected in bad.items():
            page.write_text(f"# Page\n\n{text}\n", encoding="utf-8")
            faults = faults_of(root, str(coord), page)
            if len(faults) != 1 or expected not in faults[0]:
                raise SystemExit(f"{text}\nexpected one fault with {expected!r}, found {faults}")
        page.write_text("# A page\n\n[a](#a-page) `pystream-coord run plan.json --items 3` `page.md`\n", encoding="utf-8")
        if faults := faults_of(root, str(coord), page):
            raise SystemExit(f"a good page has faults: {faults}")
    print(f"{len(bad)} faults found")
    return 0


def main(root, coord):
    root = pathlib.Path(root).resolve()
    pages = pages_of(root)
    faults = [fault for page in pages for fault in faults_of(root, coord, page)] + index_faults(root)
    print("\n".join(faults) if faults else f"{len(pages)} pages: every link, command and path is there")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(*sys.argv[1:]))
