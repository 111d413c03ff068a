#!/usr/bin/env python3
"""What the compiler says to a stage that cannot work: one error that tells what to do, and few of them.

usage: refused_test.py INCLUDE-FOLDER COMPILER [ARGUMENT ...]
"""
import pathlib
import subprocess
import sys

MOST_ERRORS = 2  # the sentence itself, and at most one thing that follows from it


def trouble(path, command):
    expected = path.read_text().splitlines()[0].removeprefix("// expect:").strip()
    result = subprocess.run(command + [str(path)], capture_output=True, text=True, check=False)
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    if not expected:
        return f"does not compile:\n{result.stderr}" if result.returncode != 0 else None
    if result.returncode == 0:
        return "compiles"
    if not errors or expected not in errors[0]:
        return f'the first error is not "{expected}":\n{result.stderr}'
    if len(errors) > MOST_ERRORS:
        return f"{len(errors)} errors:\n{result.stderr}"
    return None


def main():
    include, *compiler = sys.argv[1:]
    command = compiler + ["-std=c++20", "-fsyntax-only", "-I", include]
    failed = 0
    for path in sorted((pathlib.Path(__file__).parent / "refused").glob("*.cpp")):
        what = trouble(path, command)
        print(f"{path.name}: {what or 'ok'}")
        failed += what is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
