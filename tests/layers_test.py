#!/usr/bin/env python3
"""Includes point down the layers only, and each third-party library is included in one place.

layers_test.py ROOT         checks the sources under ROOT
layers_test.py --self-test  checks that every rule can fail
"""

import pathlib
import re
import sys
import tempfile

from self_testing import main_of

# What a layer may include, beside its own files and the public headers.
MAY_INCLUDE = {
    "base": [],
    "shm": ["base"],
    "plan": ["base"],
    "setup": ["base", "shm", "plan"],
    "profile": ["base", "shm", "plan"],
    "store": ["base", "shm", "plan", "profile"],
    "report": ["base", "shm", "plan", "profile", "store"],
    "worker": ["base", "shm", "plan", "setup", "profile", "store"],
    "coord": ["base", "shm", "plan", "setup", "profile", "store", "worker"],
    "serve": ["base", "shm", "plan", "setup", "profile", "store", "report", "worker", "coord"],
    "api": ["base", "shm", "plan", "setup", "profile", "store", "worker", "coord"],
    "cli": ["base", "shm", "plan", "setup", "profile", "store", "report", "worker", "coord", "serve", "api"],
    "python": [],
}

# Layers of the standard library alone, beside what PLACES gives them.
PURE = ["plan", "report"]

# Start of an include, and the only files that may have it.
PLACES = [
    ("boost/interprocess/", r"src/shm/mapping\.cpp"),
    ("nlohmann/", r"src/plan/[^/]+"),
    ("sqlite3", r"src/store/database\.cpp"),
    ("CLI/", r"src/cli/[^/]+"),
    ("httplib", r"src/serve/http_server\.cpp"),
    ("openssl/", r"src/serve/http_server\.cpp"),
    ("linux/futex.h", r"src/base/futex\.cpp"),
    ("sys/epoll.h", r"src/base/event_loop\.cpp"),
    ("dlfcn.h", r"(src/setup|workers)/.+"),
    ("Python.h", r"(src|workers)/python/.+"),
    ("pybind11/", r"src/python/core/.+"),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
SOURCES = ["include/**/*.hpp", "src/**/*.hpp", "src/**/*.cpp", "workers/**/*.hpp", "workers/**/*.cpp"]


def fault_of_place(file, name):
    for start, place in PLACES:
        if name.startswith(start) and not re.fullmatch(place, file):
            return f"only {place} includes {start}"
    return None


def fault_of_public(bracket, name):
    if bracket == "<" and (name.startswith("pystream/") or re.fullmatch(r"[a-z_]+", name)):
        return None
    return "a public header includes only public and standard headers"


def fault_of_system(layer, name):
    standard = re.fullmatch(r"[a-z_]+|pystream/.*", name)
    if layer in PURE and not standard and not any(name.startswith(start) for start, _ in PLACES):
        return f"{layer} includes no headers of the system"
    return None


def fault_of_layer(layer, bracket, name):
    if bracket == "<" and fault_of_system(layer, name):
        return fault_of_system(layer, name)
    if bracket == "<" or name.startswith("pystream/"):
        return None
    below = name.split("/")[0]
    if layer not in MAY_INCLUDE:
        return f"src/{layer} is not a layer"
    if below == layer or below in MAY_INCLUDE[layer]:
        return None
    return f"{layer} includes only {', '.join([layer] + MAY_INCLUDE[layer])}"


def is_of_workers(root, file, name):
    return any((folder / name).exists() for folder in [root / "workers", (root / file).parent])


def fault_of(root, file, bracket, name):
    misplaced = fault_of_place(file, name)
    if misplaced:
        return misplaced
    parts = file.split("/")
    if parts[0] == "include":
        return fault_of_public(bracket, name)
    if parts[0] == "src" and len(parts) > 2:
        return fault_of_layer(parts[1], bracket, name)
    if parts[0] == "workers" and bracket == '"' and not is_of_workers(root, file, name):
        return "stages include only public headers and files of workers/"
    return None


def includes_faults(root):
    for pattern in SOURCES:
        for path in sorted(root.glob(pattern)):
            file = path.relative_to(root).as_posix()
            text = path.read_text(encoding="utf-8")
            for match in INCLUDE.finditer(text):
                fault = fault_of(root, file, match[1], match[2])
                if fault:
                    line = text.count("\n", 0, match.start(1)) + 1
                    yield f"{file}:{line}: includes {match[2]}: {fault}"


def headers_faults(root):
    """tests/headers compiles each public header alone, and must know all of them."""
    listed = (root / "tests/headers/meson.build").read_text(encoding="utf-8")
    for path in sorted((root / "include/pystream").glob("*.hpp")):
        if f"'{path.stem}'" not in listed:
            yield f"include/pystream/{path.name}: is missing in tests/headers/meson.build"


def documented_faults(root):
    """The table of src/docs/architecture.md says what each layer may include."""
    text = (root / "src/docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|[^|]*\|$", text.partition("| includes from |")[2], re.MULTILINE)
    documented = {layer: re.findall(r"`(\w+)`", layers) for layer, layers in rows}
    for layer in sorted(documented.keys() | MAY_INCLUDE.keys()):
        if documented.get(layer) != MAY_INCLUDE.get(layer):
            yield f"src/docs/architecture.md: layer {layer} may include {MAY_INCLUDE.get(layer)} in tests/layers_test.py"


def seen_from(root, file, seen):
    """All headers of src that a file of src includes, directly or not."""
    path = root / "src" / file
    for match in INCLUDE.finditer(path.read_text(encoding="utf-8") if path.is_file() else ""):
        if match[2] not in seen:
            seen.add(match[2])
            seen_from(root, match[2], seen)
    return seen


def kill_points_faults(root):
    """tests/kill_points compiles anew what sees kill points: inline functions with and without must not meet."""
    build = (root / "src/meson.build").read_text(encoding="utf-8")
    listed = build.partition("kill_point_sources = files(")[2].partition(")")[0]
    for path in sorted((root / "src").glob("*/*.cpp")):
        file = path.relative_to(root / "src").as_posix()
        if file != "base/kill_point.cpp" and f"'{file}'" not in listed:
            if "base/kill_point.hpp" in seen_from(root, file, set()):
                yield f"src/{file}: sees base/kill_point.hpp, and is missing in kill_point_sources in src/meson.build"


def check(root):
    faults = list(includes_faults(root)) + list(headers_faults(root)) + list(kill_points_faults(root))
    faults += documented_faults(root)
    for fault in faults:
        print(fault)
    return faults


TABLE = "| folder | includes from | facilities |\n|---|---|---|\n" + "".join(
    f"| `{layer}` | {', '.join(f'`{other}`' for other in others)} | |\n" for layer, others in MAY_INCLUDE.items())

GOOD = {
    "src/docs/architecture.md": TABLE,
    "include/pystream/item.hpp": "#include <string>\n#include <pystream/error.hpp>\n",
    "src/base/clock.hpp": "#include <time.h>\n#include <pystream/item.hpp>\n",
    "src/shm/mapping.cpp": '#include <boost/interprocess/mapped_region.hpp>\n#include "base/clock.hpp"\n',
    "src/plan/json.cpp": '#include <nlohmann/json.hpp>\n#include "plan/json.hpp"\n',
    "src/store/database.cpp": '#include <sqlite3.h>\n#include "profile/sampling.hpp"\n',
    "src/report/diff.cpp": '#include "store/windows.hpp"\n',
    "src/setup/plugins.cpp": "#include <dlfcn.h>\n",
    "src/worker/row.cpp": '#include "setup/layout.hpp"\n',
    "src/meson.build": "kill_point_sources = files(\n  'shm/sleep.cpp',\n)\n",
    "src/shm/waiting.hpp": '#include "base/kill_point.hpp"\n',
    "src/shm/sleep.cpp": '#include "shm/waiting.hpp"\n',
    "src/cli/main.cpp": '#include <CLI/CLI.hpp>\n#include "api/pipeline.hpp"\n',
    "workers/core/lines.cpp": '#include "core/lines.hpp"\n',
    "workers/core/lines.hpp": "",
    "tests/headers/meson.build": "public_headers = ['item']\n",
}

BAD = {
    "src/docs/architecture.md": TABLE.replace("| `shm` | `base`", "| `shm` | `plan`"),
    "src/base/nap.cpp": "#include <linux/futex.h>\n",
    "src/plan/names.cpp": "#include <unistd.h>\n",
    "src/base/clock.hpp": '#include "shm/segment.hpp"\n',
    "src/shm/ring.cpp": '  #  include "plan/plan.hpp"\n',
    "src/plan/plan.cpp": '#include "shm/segment.hpp"\n',
    "src/profile/recorder.cpp": '#include "worker/row.hpp"\n',
    "src/setup/layout.cpp": '#include "worker/row.hpp"\n',
    "src/worker/row.cpp": '#include "coord/supervisor.hpp"\n',
    "src/worker/worker_main.cpp": "#include <dlfcn.h>\n",
    "src/coord/launcher.cpp": '#include "api/pipeline.hpp"\n',
    "src/coord/live_status.cpp": '#include "serve/metrics_text.hpp"\n',
    "src/serve/router.cpp": "#include <httplib.h>\n",
    "src/api/pipeline.cpp": '#include "cli/frame.hpp"\n',
    "src/attic/things.cpp": '#include "base/clock.hpp"\n',
    "src/shm/segment.cpp": "#include <boost/interprocess/mapped_region.hpp>\n",
    "src/cli/graph.cpp": "#include <nlohmann/json.hpp>\n",
    "src/store/letters.cpp": "#include <sqlite3.h>\n",
    "src/profile/summary.cpp": '#include "store/database.hpp"\n',
    "src/store/windows.cpp": '#include "report/diff.hpp"\n',
    "src/coord/run_summary.cpp": '#include "report/summary_text.hpp"\n',
    "src/coord/options.cpp": "#include <CLI/CLI.hpp>\n",
    "include/pystream/stage.hpp": "",
    "include/pystream/item.hpp": '#include "plan/plan.hpp"\n',
    "include/pystream/error.hpp": "#include <boost/version.hpp>\n",
    "src/store/row_store.cpp": '#include "shm/waiting.hpp"\n',
    "workers/core/lines.cpp": '#include "base/clock.hpp"\n',
}


def write(root, files):
    for file, text in files.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        write(root, GOOD)
        if check(root):
            return "found a fault where there is none"
        for file, text in BAD.items():
            with tempfile.TemporaryDirectory() as bad_folder:
                bad_root = pathlib.Path(bad_folder)
                write(bad_root, GOOD)
                write(bad_root, {file: text})
                if not any(fault.startswith(file) for fault in check(bad_root)):
                    return f"did not see what is wrong with {file}: {text.strip()}"
    return None


def check_tree(folder):
    root = pathlib.Path(folder)
    if not (root / "src").is_dir():
        sys.exit(f"{root} has no sources")
    return check(root)


if __name__ == "__main__":
    sys.exit(main_of(__doc__, self_test, check_tree, min_arguments=1, max_arguments=1))
