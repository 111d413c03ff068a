"""pystream as somebody has it who installed it, for tests of commands, documents and projects."""
import os
import subprocess


def install(build, folder):
    """Installs the build below `folder`, a pathlib.Path, and returns that."""
    result = subprocess.run(
        ["meson", "install", "-C", build, "--no-rebuild"], env={**os.environ, "DESTDIR": str(folder)},
        capture_output=True, text=True, check=False, timeout=240)
    if result.returncode != 0:
        raise SystemExit(f"meson install does not work\n{result.stdout}{result.stderr}")
    return folder


def environment_of(folder):
    """The environment of a user of what is installed below `folder`."""
    (program,) = folder.glob("**/bin/pystream-coord")
    (pkgconfig,) = folder.glob("**/pystream.pc")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYSTREAM_")}
    environment["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    environment["PKG_CONFIG_PATH"] = str(pkgconfig.parent)
    return environment
