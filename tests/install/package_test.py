#!/usr/bin/env python3
"""The Debian packages, installed by dpkg and used in a root that holds nothing but what they depend on, and removed again.

The root is made of the packages of this machine (clean_root.py), so that no network is needed; only dpkg configures the
packages in it. It takes root, or a user namespace.

usage: package_test.py SOURCE-FOLDER BUILD-FOLDER
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import clean_root

SKIPPED = 77

# As root there: a pipeline, Python, a program and a plugin of one's own.
USE_TOOLS = r"""
set -eu
cd /tmp
printf 'you\n' | pystream-coord run --quiet /usr/share/pystream/examples/nested.json >out
[ "$(cat out)" = 'Hello, you!' ]
pystream-coord stages >/dev/null
pystream-coord --version
test -s /usr/share/pystream/pystream.schema.json
for page in man1/pystream-coord.1 man1/pystream-coord-run.1 man1/pystream-worker.1 man5/pystream-plan.5; do
  gzip -t "/usr/share/man/$page.gz"
done
"""
USE_OPENCV = "pystream-coord stages image.resize --plugin libpystream_opencv.so >/dev/null\n"
USE_NATS = "pystream-coord stages nats.sink --plugin libpystream_nats.so >/dev/null\n"
USE_PYTHON = r"""
set -eu
cd /tmp
cat >use.py <<'PYTHON'
import pystream
pipeline = pystream.Pipeline()
pipeline.add(lambda x: x + 1)
with pipeline.parallelize(block_output=True, output_timeout=60):
    pipeline.forward(1)
    assert pipeline.get_results() == 2
PYTHON
python3 use.py
echo 'def reverse(line): return line[::-1]' >stages.py
cat >python.json <<'PLAN'
{"plugins": ["libpystream_python.so"], "source": {"type": "lines", "params": {"path": "-"}},
 "stages": [{"name": "Reverse", "type": "python",
             "params": {"module": "stages.py", "call": "reverse", "takes": "text", "gives": "text"}}],
 "sink": {"type": "stdout"}}
PLAN
[ "$(echo abc | pystream-coord run --quiet python.json)" = cba ]
"""
USE_DEV = r"""
set -eu
cd /tmp
cp -r /projects/make own
cp /projects/*.cpp own
cd own
make --silent
./mine
"""


class Root:
    """The root of a system of its own: commands run there, with /proc and /dev/shm, and see nothing of this machine."""

    def __init__(self, path):
        self.path = path

    def run(self, script):
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        inside = (f'mount -t proc proc "{self.path}/proc" && mount -t tmpfs tmpfs "{self.path}/dev/shm" && '
                  f'for name in null zero full random urandom; do touch "{self.path}/dev/$name" && '
                  f'mount --bind "/dev/$name" "{self.path}/dev/$name"; done && '
                  f'exec chroot "{self.path}" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 '
                  f'DEBIAN_FRONTEND=noninteractive sh -c "$0"')
        return subprocess.run([*enter, "sh", "-c", inside, script], capture_output=True, text=True, check=False, timeout=600,
                              stdin=subprocess.DEVNULL)

    def do(self, title, script):
        result = self.run(script)
        if result.returncode != 0:
            raise SystemExit(f"{title}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout

    def files(self):
        """All that an installation could leave: not what runs and configuration of the system write."""
        skipped = ("proc", "dev", "tmp", "root", "run", "var/log", "var/lib/dpkg", "var/cache/ldconfig", "etc/ld.so.cache", "projects")
        found = set()
        for folder, folders, names in os.walk(self.path):
            here = os.path.relpath(folder, self.path)
            folders[:] = [one for one in folders if os.path.normpath(f"{here}/{one}") not in skipped]
            found |= {path for path in (os.path.normpath(f"{here}/{one}") for one in names + folders) if path not in skipped}
        return found


def can_enter(folder):
    """Whether roots may be entered here; the reason if not."""
    empty = Root(folder)
    (folder / "proc").mkdir()
    (folder / "dev/shm").mkdir(parents=True)
    result = empty.run("true")
    shutil.rmtree(folder)
    folder.mkdir()
    said = result.stderr.strip()
    # Without a shell in it the root is entered, and env is not found.
    return None if "chroot" in said and "No such file" in said else said


def depends_of(packages):
    """What the packages depend on, beside one another: names for clean_root."""
    own, needed = set(), []
    for package in packages:
        record = subprocess.run(["dpkg-deb", "--field", str(package), "Package", "Depends"], capture_output=True, text=True,
                                check=True).stdout
        own.add(record.splitlines()[0].partition(": ")[2])
        needed += clean_root.depends_of(record)
    return [group[0] for group in needed if not own & set(group)]


def packages_named(folder, *names):
    return [file for name in names for file in folder.glob(f"{name}_*.deb")]


def install(root, packages):
    for package in packages:
        shutil.copy(package, root.path / "tmp")
    files = " ".join(f"/tmp/{package.name}" for package in packages)
    root.do(f"dpkg --install {files}", f"dpkg --force-unsafe-io --install {files}")


def try_in_root(folder, packages, tools, script):
    """A root with `tools` and what the packages need, the packages, their use, and their end."""
    folder.mkdir()
    root = Root(folder)
    clean_root.make(folder, [*depends_of(packages), *tools])
    if tools:
        shutil.copytree(pathlib.Path(__file__).parent / "projects", folder / "projects")
    before = root.files()
    install(root, packages)
    root.do("use", script)
    names = " ".join(package.name.partition("_")[0] for package in packages)
    root.do(f"dpkg --purge {names}", f"dpkg --force-unsafe-io --purge {names}")
    left = sorted(root.files() - before)
    if left:
        raise SystemExit(f"left behind: {left[:20]}")


def main(source, build):
    source, build = os.path.abspath(source), os.path.abspath(build)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "empty").mkdir()
        refusal = can_enter(folder / "empty")
        if refusal is not None:
            print(f"skipped: no root of its own can be entered here: {refusal}")
            return SKIPPED
        start = time.monotonic()
        made = subprocess.run([f"{source}/scripts/package.sh", "--build", build, str(folder / "packages")], capture_output=True,
                              text=True, check=False)
        if made.returncode != 0:
            raise SystemExit(f"scripts/package.sh fails\n{made.stdout}{made.stderr}")
        steps = [("packages", time.monotonic() - start)]
        every = folder / "packages"
        jobs = [("tools", packages_named(every, "libpystream0", "pystream"), [], USE_TOOLS)]
        if packages_named(every, "python3-pystream"):
            jobs.append(("Python", packages_named(every, "libpystream0", "pystream", "python3-pystream"), [], USE_PYTHON))
        if packages_named(every, "pystream-opencv"):
            jobs.append(("OpenCV", packages_named(every, "libpystream0", "pystream", "pystream-opencv"), [], USE_OPENCV))
        if packages_named(every, "pystream-nats"):
            jobs.append(("NATS", packages_named(every, "libpystream0", "pystream", "pystream-nats"), [], USE_NATS))
        jobs.append(("development", packages_named(every, "libpystream0", "libpystream-dev"), ["g++", "make", "pkgconf"], USE_DEV))
        for title, packages, tools, script in jobs:
            start = time.monotonic()
            try_in_root(folder / title, packages, tools, script)
            shutil.rmtree(folder / title)
            steps.append((title, time.monotonic() - start))
    print("installed, used and removed; " + ", ".join(f"{title}: {seconds:.0f} s" for title, seconds in steps))
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
