"""A folder that is the root of a system with nothing but some Debian packages of this machine: their files and those of what
they depend on, and dpkg's records of them. It takes seconds and no network; dpkg works in it as in a fresh installation."""
import os
import pathlib
import re
import shutil
import subprocess

INFO = pathlib.Path("/var/lib/dpkg/info")


def records():
    """dpkg's record of each installed package: by its name, and by what it provides."""
    text = pathlib.Path("/var/lib/dpkg/status").read_text(encoding="utf-8")
    packages, providers = {}, {}
    for record in text.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*(?:\n .*)*)$", record, re.MULTILINE))
        if fields.get("Status") != "install ok installed":
            continue
        packages[fields["Package"]] = record.strip() + "\n"
        for provided in names_in(fields.get("Provides", "")):
            providers.setdefault(provided[0], []).append(fields["Package"])
    return packages, providers


def names_in(relation):
    """"a (>= 1) | b, c" as [["a", "b"], ["c"]]."""
    groups = [group.split("|") for group in relation.split(",") if group.strip()]
    return [[re.match(r"\s*([\w.+-]+)", name)[1] for name in group] for group in groups]


def depends_of(record):
    fields = dict(re.findall(r"^(Depends|Pre-Depends): (.*(?:\n .*)*)$", record, re.MULTILINE))
    return names_in(fields.get("Pre-Depends", "")) + names_in(fields.get("Depends", ""))


def closure(wanted, packages, providers):
    """What `wanted` need, with what that needs. Throws SystemExit if this machine lacks any of it."""
    found, to_do = set(), [[name] for name in wanted]
    while to_do:
        group = to_do.pop()
        candidates = [one for name in group for one in [name, *providers.get(name, [])] if one in packages]
        if any(name in found for name in candidates):
            continue
        if not candidates:
            raise SystemExit(f"no package of this machine is {' or '.join(group)}")
        found.add(candidates[0])
        to_do += depends_of(packages[candidates[0]])
    return found


def listing_of(package):
    lists = [INFO / f"{package}.list", *INFO.glob(f"{package}:*.list")]
    return next(file for file in lists if file.exists())


def copy_tree(paths, root):
    """Files, links and folders with their modes, as they are here. What this machine leaves out (documents) is left out."""
    for path in paths:
        source, target = pathlib.Path(path), root / path.lstrip("/")
        if path == "/." or target.is_symlink() or not os.path.lexists(source):
            continue
        if source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(os.readlink(source))
        elif source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy2(source, target)


def make(root, wanted):
    """Fills the folder `root`: the essential packages, `wanted`, and all that these depend on."""
    packages, providers = records()
    essential = [name for name, record in packages.items() if re.search(r"^Essential: yes$", record, re.MULTILINE)]
    chosen = closure([*essential, *wanted], packages, providers)
    for link in ("bin", "sbin", "lib", "lib64"):  # /usr is merged
        if os.path.islink(f"/{link}"):
            (root / link).symlink_to(os.readlink(f"/{link}"))
            (root / os.readlink(f"/{link}")).mkdir(parents=True, exist_ok=True)
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    shutil.copy2(INFO / "format", info)
    for package in sorted(chosen):
        listing = listing_of(package)
        copy_tree(listing.read_text(encoding="utf-8").splitlines(), root)
        for file in INFO.glob(f"{listing.name.removesuffix('.list')}.*"):
            shutil.copy2(file, info)
    (root / "var/lib/dpkg/status").write_text("\n".join(packages[package] for package in sorted(chosen)), encoding="utf-8")
    for folder in ("etc", "dev", "proc", "tmp", "run", "var/lib/dpkg/updates", "var/log", "dev/shm", "root"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for file in ("etc/passwd", "etc/group"):
        shutil.copy2(f"/{file}", root / file)
    # Alternatives (awk, BLAS) are links that no package has. Of each, dpkg notes the place of the link in the second line.
    (root / "etc/alternatives").mkdir(exist_ok=True)
    for note in pathlib.Path("/var/lib/dpkg/alternatives").iterdir():
        place = note.read_text(encoding="utf-8").splitlines()[1]
        chosen_one = os.readlink(f"/etc/alternatives/{note.name}")
        if (root / chosen_one.lstrip("/")).exists() and not os.path.lexists(root / place.lstrip("/")):
            (root / "etc/alternatives" / note.name).symlink_to(chosen_one)
            (root / place.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (root / place.lstrip("/")).symlink_to(f"/etc/alternatives/{note.name}")
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    return chosen
