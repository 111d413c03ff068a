#!/usr/bin/env python3
"""What README.md shows must work: its C++ compiles against the public headers alone; each of its blocks of shell commands
runs in a folder that holds what the page has shown, with the build installed, and gives what a comment promises; its plans
are valid there.

usage: readme_test.py README INCLUDE-FOLDER BUILD-FOLDER COMPILER...
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Lines of shell blocks that are not run here, and why.
NOT_RUN = {
    "scripts/demo.sh": "fetches a film of 96 MB and builds everything anew",
    "scripts/test.sh": "is what runs this test",
}

# The names that the shell blocks have for blocks of code: the first of that kind which holds this text.
NAMED = {
    "pipeline.json": ("json", '"image.resize"'),
    "scale.cpp": ("cpp", "PYSTREAM_STAGE("),
    "scale.json": ("json", '"demo.scale"'),
}


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def fault_of(title, result):
    return [] if result.returncode == 0 else [f"{title}\nexit code {result.returncode}\n{result.stdout}{result.stderr}"]


def check_code(code, file, include, compiler):
    file.write_text(code, encoding="utf-8")
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", include, str(file)]
    return fault_of(code, run([*compiler, *flags]))


def install(build, folder):
    """Installs the build below `folder`; gives the environment of somebody who uses it."""
    result = run(["meson", "install", "-C", build, "--no-rebuild"], env={**os.environ, "DESTDIR": str(folder / "root")})
    programs = list(folder.glob("root/**/bin/pystream-coord"))
    pkgconfig = list(folder.glob("root/**/pystream.pc"))
    if result.returncode != 0 or len(programs) != 1 or len(pkgconfig) != 1:
        raise SystemExit(f"meson install does not work\n{result.stdout}{result.stderr}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYSTREAM_")}
    environment["PATH"] = f"{programs[0].parent}:{environment['PATH']}"
    environment["PKG_CONFIG_PATH"] = str(pkgconfig[0].parent)
    environment["XDG_STATE_HOME"] = str(folder / "state")
    return environment


def fill(work, blocks, pictures):
    """Puts into `work` what the shell blocks work on."""
    (work / "photos").mkdir(parents=True)
    for picture in pictures.glob("*.jpg"):
        shutil.copy(picture, work / "photos")
    for name, (kind, text) in NAMED.items():
        code = next((code for known, code in blocks if known == kind and text in code), None)
        if code is None:
            raise SystemExit(f"README shows no {name}")
        (work / name).write_text(code, encoding="utf-8")


def not_run(line):
    return next((name for name in NOT_RUN if line.startswith(name)), None)


def promised_output(code):
    """What `seq N | pystream-coord run ...    # first, second, ...` promises."""
    promise = re.search(r"^seq \d+ \| pystream-coord run \S+ +# (.*)$", code, re.MULTILINE)
    return promise[1].split(", ") if promise else []


def check_shell(blocks, work, environment):
    """The shell blocks in their order, as a reader types them."""
    faults = []
    left_out = set()
    for code in (code for kind, code in blocks if kind == "sh"):
        lines = code.splitlines()
        left_out |= {not_run(line) for line in lines if not_run(line)}
        script = "\n".join(line for line in lines if not not_run(line))
        result = run(["sh", "-eu", "-c", script], cwd=work, env=environment, stdin=subprocess.DEVNULL)
        faults += fault_of(code, result)
        expected = promised_output(code)
        if result.stdout.split()[-len(expected):] != expected and expected:
            faults.append(f"{code}\n{result.stdout}expected {expected} at the end")
    return faults + [f"{name} is an exception here, and README names it no more" for name in NOT_RUN if name not in left_out]


def check_plans(blocks, work, environment):
    faults = []
    for number, code in enumerate(code for kind, code in blocks if kind == "json"):
        file = work / f"plan{number}.json"
        file.write_text(code, encoding="utf-8")
        faults += fault_of(code, run(["pystream-coord", "validate", file.name], cwd=work, env=environment))
    return faults


def main(readme, include, build, *compiler):
    readme = pathlib.Path(readme)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    counts = {kind: sum(1 for known, _ in blocks if known == kind) for kind in ("cpp", "json", "sh")}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for number, code in enumerate(code for kind, code in blocks if kind == "cpp"):
            faults += check_code(code, folder / f"block{number}.cpp", include, compiler)
        environment = install(build, folder)
        work = folder / "work"
        fill(work, blocks, readme.parent / "workers/pipelines")
        faults += check_shell(blocks, work, environment) + check_plans(blocks, work, environment)
    faults += [f"README has no {kind} block" for kind, count in counts.items() if count == 0]
    print("\n".join(faults) if faults else f"{counts['cpp']} C++, {counts['json']} JSON and {counts['sh']} sh blocks work")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
