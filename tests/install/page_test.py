#!/usr/bin/env python3
"""src/docs/install.md shows the build files that the test `install` uses, and its shell blocks work. (Its `console` blocks need
root or the network.)

usage: page_test.py PAGE PYSTREAM-COORD
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SHOWN = {"cmake": "cmake/CMakeLists.txt", "make": "make/Makefile", "meson": "meson/meson.build"}


def main(page, coord):
    page, coord = pathlib.Path(os.path.abspath(page)), pathlib.Path(os.path.abspath(coord))
    projects = pathlib.Path(os.path.abspath(__file__)).parent / "projects"
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    faults = [f"{page.name} does not show {file} as it is" for kind, file in SHOWN.items()
              if (kind, (projects / file).read_text(encoding="utf-8")) not in blocks]
    scripts = [code for kind, code in blocks if kind == "sh"]
    if not scripts:
        faults.append(f"{page.name} has no sh block")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PATH": f"{coord.parent}:{os.environ['PATH']}", "XDG_STATE_HOME": folder}
        for script in scripts:
            result = subprocess.run(["sh", "-eu", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True, check=False, timeout=120)
            if result.returncode != 0:
                faults.append(f"{script}exit code {result.returncode}\n{result.stdout}{result.stderr}")
    print("\n".join(faults) if faults else f"{page.name}: {len(SHOWN)} build files, {len(scripts)} sh blocks")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
