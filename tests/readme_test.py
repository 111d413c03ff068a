#!/usr/bin/env python3
"""What README.md shows must work: its C++ compiles against the public headers alone, its plans are valid.

usage: readme_test.py README INCLUDE-FOLDER COORD-PROGRAM COMPILER...
"""
import pathlib
import re
import subprocess
import sys
import tempfile


def main(readme, include, coord, *compiler):
    text = pathlib.Path(readme).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    faults = []
    counts = {"cpp": 0, "json": 0}
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
    print("\n".join(faults) if faults else f"{counts['cpp']} C++ and {counts['json']} JSON blocks work")
    return 1 if faults or not all(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
