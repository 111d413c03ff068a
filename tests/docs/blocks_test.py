#!/usr/bin/env python3
"""Every block of code in the documentation works for somebody who has pystream installed and reads a page from its top.

Each page has a folder of its own. A block behind a line that ends with "`NAME`:" is that file. Then, by language:

- `sh`: runs, in the order of the page. A `text` block right behind one is what it prints; `…` stands for anything.
- `cpp`: compiles; a file, by the page's own commands. One without #include stands in a function that has a `pipeline`.
- `json`: a plan, or a part of one, which `pystream-coord validate` accepts.
- `sql`: runs on the page's profile database. `promql`: Prometheus' own promtool accepts each line.
- `python`: tests/python/test_docs.py runs it. `mermaid`: the site draws it (site_test.py).
- without a language: output or a picture.

A block whose first line is the comment "Not run by the tests: REASON" is left out.

usage: blocks_test.py ROOT BUILD COMPILER... -- PAGE...      (--others: all pages that have no test of their own)
       blocks_test.py --self-test BUILD COMPILER...
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from page import blocks_of

sys.path.insert(0, str(pathlib.Path(os.path.abspath(__file__)).parent.parent / "support"))
from installed import environment_of, install  # noqa: E402

LANGUAGES = {"", "sh", "text", "cpp", "json", "sql", "promql", "python", "mermaid"}

# Lines that need a checkout, and not only an installation. links_test.py checks that their programs are there.
OF_A_CHECKOUT = re.compile(r"scripts/|(sudo )?meson .*\bbuild/(test|release)\b|build/(test|release)/")

# Pages with a test of their own: two take long, and tests/install checks build files and a way to install.
ALONE = {"tutorial.md", "debugging.md", "install.md"}

# Stage types that stand for the reader's own in parts of plans.
IMAGINED = {"faces", "plates", "rises", "falls", "detect"}

HEADERS = ["pystream/pystream.hpp", "algorithm", "chrono", "cstdio", "iostream", "optional", "sstream", "string", "vector"]


def run(command, **options):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, **options)
    except subprocess.TimeoutExpired as expired:
        text = [(part or b"").decode(errors="replace") for part in (expired.stdout, expired.stderr)]
        return subprocess.CompletedProcess(command, -1, text[0], text[1] + "\ntook longer than four minutes")


def fault_of(block, result):
    if result.returncode == 0:
        return []
    return [f"{block.title}\n{block.code}exit code {result.returncode}\n{result.stdout}{result.stderr}"]


class Reader:
    """Somebody who has pystream below `root`."""

    def __init__(self, root, compiler):
        self.compiler = compiler
        (headers,) = root.glob("**/include/pystream")
        self.include = headers.parent
        self.environment = environment_of(root)
        self.environment["CXX"] = " ".join(compiler)

    def at_home(self, folder):
        """The environment with profiles of its own in `folder`."""
        return {**self.environment, "XDG_STATE_HOME": str(folder)}


def check_cpp(block, reader, folder):
    code = block.code
    if "#include" not in code:
        headers = "\n".join(f"#include <{header}>" for header in HEADERS)
        code = f"{headers}\nvoid example(pystream::Pipeline& pipeline) {{\n{code}\n(void)pipeline;\n}}\n"
    file = folder / "block.cpp"
    file.write_text(code, encoding="utf-8")
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", reader.include]
    return fault_of(block, run([*reader.compiler, *flags, file]))


def without_imagined(value):
    """Types of the reader's own become `wait`, which takes and gives anything."""
    if isinstance(value, dict):
        value = {key: without_imagined(part) for key, part in value.items()}
        return {**value, "type": "wait"} if value.get("type") in IMAGINED else value
    return [without_imagined(part) for part in value] if isinstance(value, list) else value


def whole_plan(part):
    """A plan around a part of one: around a stage or a pipeline, keys of a stage, or keys of the plan itself."""
    part = without_imagined(part)
    if "source" in part:
        return part
    images = '"image.' in json.dumps(part)
    source = {"type": "files", "params": {"path": "photos"}} if images else {"type": "generate"}
    plan = {"plugins": ["libpystream_opencv.so"], "source": source, "stages": [], "sink": {"type": "discard"}}
    if images:
        plan["stages"].append({"name": "Read", "type": "image.decode"})
    if "type" in part or "stages" in part:
        plan["stages"].append(part)
    elif part.keys() <= {"links", "profiler", "restarts", "name", "plugins"}:
        plan["stages"].append({"name": "Same", "type": "wait"})
        plan.update(part)
    else:
        plan["stages"].append({"name": "Any", "type": "wait", **part})
    return plan


def check_json(block, folder, environment):
    try:
        value = json.loads(block.code)
    except ValueError as error:
        return [f"{block.title}\n{block.code}{error}"]
    if block.file and "source" not in value and not value.keys() & {"type", "stages"}:
        return []  # a file of another kind, for the commands that use it
    plan = folder / "plan of the page.json"
    plan.write_text(json.dumps(whole_plan(value)), encoding="utf-8")
    return fault_of(block, run(["pystream-coord", "validate", plan.name], cwd=folder, env=environment))


def check_promql(block, folder):
    rules = [{"record": f"rule:{number}", "expr": line} for number, line in enumerate(block.code.splitlines())]
    file = folder / "rules of the page.json"
    file.write_text(json.dumps({"groups": [{"name": "page", "rules": rules}]}), encoding="utf-8")
    return fault_of(block, run(["promtool", "check", "rules", file]))


def check_sql(block, folder):
    databases = list(folder.glob("**/last_profiles.sqlite"))
    if len(databases) != 1:
        return [f"{block.title}: the page has left {len(databases)} profile databases"]
    return fault_of(block, run(["sqlite3", "-readonly", "-bail", databases[0]], input=block.code))


def lacks(expected, printed):
    """The first line of `expected` that `printed` does not have behind those before it; None: it has all of them."""
    rest = printed.splitlines()
    for line in filter(str.strip, expected.splitlines()):
        if line.strip() == "…":
            continue
        pattern = ".*".join(re.escape(part) for part in re.sub(r"\s+", " ", line.strip()).split("…"))
        at = next((n for n, text in enumerate(rest) if re.fullmatch(pattern, re.sub(r"\s+", " ", text.strip()))), None)
        if at is None:
            return line
        rest = rest[at + 1:]
    return None


def promised_output(code):
    """What `seq N | pystream-coord run ...    # first, second, ...` promises, a line each."""
    promise = re.search(r"\| pystream-coord run \S+ +# (.*)$", code, re.MULTILINE)
    return promise[1].replace(", ", "\n") if promise else ""


def check_shell(block, folder, environment):
    """Faults, and what it printed."""
    script = "\n".join(line for line in block.code.splitlines() if not OF_A_CHECKOUT.match(line))
    result = run(["sh", "-eu", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL)
    printed = result.stdout + result.stderr
    missing = lacks(promised_output(block.code), printed)
    faults = fault_of(block, result)
    return faults + ([f"{block.title}\n{block.code}does not print {missing!r} but\n{printed}"] if missing else []), printed


def check_page(page, reader, folder):
    """Blocks that run come first, in their order; then what is checked on what these have left."""
    folder.mkdir(exist_ok=True)
    environment = reader.at_home(folder / "state")
    blocks = [block for block in blocks_of(page) if block.reason is None]
    faults = [f"{block.title}: no test knows this language; name its file in the line before, or say why it is not run"
              for block in blocks if block.language not in LANGUAGES and not block.file]
    printed = ""
    for block in blocks:
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.code, encoding="utf-8")
        if block.language == "sh" and not block.file:
            found, printed = check_shell(block, folder, environment)
            faults += found
        elif block.language == "text" and block.follows_shell and (missing := lacks(block.code, printed)):
            faults.append(f"{block.title}\n{block.code}{missing!r} is not printed there, but\n{printed}")
        elif block.language == "cpp" and not block.file:
            faults += check_cpp(block, reader, folder)
    for block in blocks:
        if block.language == "json":
            faults += check_json(block, folder, environment)
        elif block.language == "promql":
            faults += check_promql(block, folder)
        elif block.language == "sql":
            faults += check_sql(block, folder / "state")
    return faults


# What pages begin with: a folder of photos to work on.
def put_photos(root, folder):
    (folder / "photos").mkdir(parents=True)
    for picture in (root / "workers/pipelines").glob("*.jpg"):
        shutil.copy(picture, folder / "photos")


BAD_PAGES = {
    "exit code": "```sh\nfalse\n```\n",
    "is not printed": "```sh\necho yes\n```\n\n```text\nno\n```\n",
    "does not print": "```sh\nseq 1 | pystream-coord run plan.json   # 2\n```\n",
    "exit code 1": "```cpp\nint x = \"text\";\n```\n",
    "itmes": '```json\n{"links": {"capacity": {"itmes": 3}}}\n```\n',
    "Expecting": '```json\n{"links": }\n```\n',
    "syntax error": "```sql\nSELEC 1;\n```\n",
    "parse error": "```promql\nrate(\n```\n",
    "no test knows": "```cobol\nSTOP RUN.\n```\n",
}
GOOD_PAGE = """The plan `plan.json`:

```json
{"source": {"type": "lines", "params": {"path": "-"}}, "stages": [{"name": "Same", "type": "wait", "params": {"time": "0s"}}],
 "sink": {"type": "stdout"}}
```

```sh
seq 1 | pystream-coord run plan.json   # 1
```

"""


def self_test(reader, folder):
    """Each kind of fault is found in a page that has it."""
    for number, (expected, text) in enumerate({"": "", **BAD_PAGES}.items()):
        page = folder / f"page{number}.md"
        page.write_text(GOOD_PAGE + text, encoding="utf-8")
        faults = check_page(page, reader, folder / f"work{number}")
        if bool(faults) != bool(text) or expected not in "\n".join(faults):
            raise SystemExit(f"{text}\nexpected {expected!r}, found {faults}")
    print(f"{len(BAD_PAGES)} faults found")
    return 0


def check_pages(root, reader, folder, pages):
    faults = []
    for number, page in enumerate(pages):
        put_photos(root, folder / f"page{number}")
        faults += check_page(page, reader, folder / f"page{number}")
    blocks = [block for page in pages for block in blocks_of(page) if block.language]
    left_out = sum(1 for block in blocks if block.reason)
    summary = f"{len(blocks) - left_out} blocks of {len(pages)} pages work, {left_out} say why they are not run"
    print("\n".join(faults) if faults else summary)
    return 1 if faults else 0


def main(arguments):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if arguments[0] == "--self-test":
            return self_test(Reader(install(arguments[1], folder / "root"), arguments[2:]), folder)
        root, build, *rest = arguments
        at = rest.index("--")
        reader = Reader(install(build, folder / "root"), rest[:at])
        root = pathlib.Path(root)
        others = [page for page in sorted((root / "src/docs").glob("*.md")) if page.name not in ALONE]
        pages = others if rest[at + 1:] == ["--others"] else [pathlib.Path(page) for page in rest[at + 1:]]
        return check_pages(root, reader, folder, pages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
