#!/usr/bin/env python3
"""`pystream-coord init DIR` makes projects that build, test and run at once, with an installed pystream: for each language
the commands of the project's own README are run, and the pipeline's output is compared.

usage: project_test.py BUILD-FOLDER has-python|without-python
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(os.path.abspath(__file__)).parent.parent / "support"))
from installed import environment_of, install  # noqa: E402

EXPECTED = {
    "cpp": ["1 a stream of lines", "2 the end of the stream"],
    "python": ["stream", "line", "stream"],
    "shell": ["stream", "line", "stream"],
}

# Per language: a fault in the stage that the project's own test must find. File, text, replacement.
FAULTS = {
    "cpp": ("number_lines.hpp", "++state()", "state()"),
    "python": ("stages.py", "key=len, ", ""),
    "shell": ("longest_word.sh", "-gt", "-ge"),
}


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, **options)


def fault_of(title, result, expected_code=0):
    if result.returncode == expected_code:
        return []
    return [f"{title}: exit code {result.returncode}\n{result.stdout}{result.stderr}"]


def commands_of(project):
    return re.search(r"^```sh\n(.*?)^```$", (project / "README.md").read_text(), re.MULTILINE | re.DOTALL)[1].splitlines()


def check(language, work, environment):
    where = {"cwd": work, "env": environment, "stdin": subprocess.DEVNULL}
    made = run(["pystream-coord", "init", language, "--language", language], **where)
    if made.returncode != 0:
        return fault_of(f"init --language {language}", made)
    project = work / language
    where["cwd"] = project
    commands = commands_of(project)
    if len(commands) != 3 or not all(line in made.stdout for line in commands):
        return [f"{language}: README does not show the three commands that init prints\n{commands}\n{made.stdout}"]
    faults = []
    for command in commands:
        result = run(["sh", "-eu", "-c", command], **where)
        faults += fault_of(f"{language}: {command}", result)
    if result.stdout.splitlines() != EXPECTED[language]:
        faults.append(f"{language}: found {result.stdout.splitlines()}, expected {EXPECTED[language]}")
    chaos = ["pystream-coord", "chaos", "pipeline.json", "--kills", "2", "--seed", "1", "--verify"]
    result = run(chaos, **where)
    faults += fault_of(f"{language}: {' '.join(chaos)}\n", result)
    return faults or check_own_test(language, project, commands, where)


def check_own_test(language, project, commands, where):
    """The project's own test is red if its stage is wrong."""
    name, text, replacement = FAULTS[language]
    source = (project / name).read_text()
    if text not in source:
        return [f"{language}: {name} has no {text}"]
    (project / name).write_text(source.replace(text, replacement))
    test = next(command for command in commands if "test" in command)
    result = run(["sh", "-eu", "-c", test], **where)
    return [] if result.returncode != 0 else [f"{language}: {test} passes with a stage that is wrong\n{result.stdout}"]


def main(build, python):
    languages = [language for language in EXPECTED if language != "python" or python == "has-python"]
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        environment = environment_of(install(build, folder / "root"))
        environment["XDG_STATE_HOME"] = str(folder / "state")
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        packages = list(folder.glob("root/**/pystream/__init__.py"))
        if packages:
            environment["PYTHONPATH"] = str(packages[0].parent.parent)
        for name in ("DESTDIR", "MESON_BUILD_ROOT", "MESON_SOURCE_ROOT", "MESONINTROSPECT"):
            environment.pop(name, None)
        work = folder / "work"
        work.mkdir()
        for language in languages:
            faults += check(language, work, environment)
    print("\n".join(faults) if faults else f"projects in {', '.join(languages)} build, test and run")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
