#!/usr/bin/env python3
"""What README.md shows must work: its C++ compiles against the public headers alone, its plans are valid, and the plan of
its own stage gives what the shell block behind it says.

usage: readme_test.py README INCLUDE-FOLDER COORD-PROGRAM COMPILER...
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def plugin_named(text, code):
    """The name of the library that README builds of this code, if it does: of the stage demo.NAME, libNAME.so."""
    stage = re.search(r'PYSTREAM_STAGE\("demo\.(\w+)"', code)
    return f"lib{stage[1]}.so" if stage and f"lib{stage[1]}.so" in text else None


def promised_output(block):
    """What `seq N | pystream-coord run ...    # first, second, ...` of a shell block promises."""
    promise = re.search(r"^seq \d+ \| pystream-coord run \S+ +# (.*)$", block[1], re.MULTILINE)
    return promise[1].split(", ") if block[0] == "sh" and promise else None


def main(readme, include, coord, *compiler):
    text = pathlib.Path(readme).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    faults = []
    counts = {"cpp": 0, "json": 0, "run": 0}
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, code) in enumerate(blocks):
            file = pathlib.Path(folder) / f"block{number}.{kind}"
            file.write_text(code, encoding="utf-8")
            if kind == "cpp":
                command = [*compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", include, str(file)]
            elif kind == "json":
                command = [coord, "validate", str(file)]
            else:
                continue
            counts[kind] += 1
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode != 0:
                faults.append(f"{code}\n{run.stdout}{run.stderr}")
            elif kind == "cpp" and (library := plugin_named(text, code)):
                build = [*compiler, "-std=c++20", "-shared", "-fPIC", "-I", include, "-o", library, str(file)]
                subprocess.run(build, cwd=folder, check=True)
            elif kind == "json" and (expected := promised_output(blocks[number + 1])):
                counts["run"] += 1
                numbers = "".join(f"{n}\n" for n in range(1, len(expected) + 1))
                run = subprocess.run([coord, "run", "--quiet", str(file)], input=numbers, capture_output=True, text=True,
                                     check=False, env={**os.environ, "XDG_STATE_HOME": folder})
                if run.returncode != 0 or run.stdout.split() != expected:
                    faults.append(f"{code}\n{run.stdout}{run.stderr}\nexpected {expected}")
    print("\n".join(faults) if faults else f"{counts['cpp']} C++ and {counts['json']} JSON blocks work, {counts['run']} ran")
    return 1 if faults or not all(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
