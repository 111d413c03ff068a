#!/usr/bin/env python3
"""libpystream.so exports its own symbols only, and tells public ones from private ones (src/pystream.map.in).

exports_test.py VERSION INCLUDE-FOLDER LIBRARY USER...   USER: a program or plugin that must not use private symbols
exports_test.py --self-test                              checks that every rule can fail
"""

import pathlib
import re
import subprocess
import sys

from self_testing import main_of

OWN = re.compile(r"(.* for )?pystream::")
NAME = re.compile(r"^(?:.* for )?((?:\w+::)*(?:operator[^\w\s(]+|~?\w+))")


def symbols_of(file, which):
    """Pairs of a demangled name and its version ("" if it has none)."""
    command = ["nm", "--dynamic", "--demangle", "--with-symbol-versions", which, str(file)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [pair_of(line) for line in listing.splitlines()]


def pair_of(line):
    """Of a line `[VALUE] TYPE NAME[@[@]VERSION]`."""
    name, _, version = re.sub(r"^ *([0-9a-f]+ )?[A-Za-z] ", "", line).partition("@")
    return name, version.lstrip("@")


def last_name(symbol):
    match = NAME.match(symbol)
    return match[1].rpartition("::")[2].lstrip("~") if match else ""


def faults_of_library(symbols, version, headers):
    public, private = f"PYSTREAM_{version}", f"PYSTREAM_PRIVATE_{version}"
    for name, node in symbols:
        if name in (public, private):  # stand in the table themselves
            continue
        if not OWN.match(name):
            yield f"exports {name}, which is not of namespace pystream"
        elif node not in (public, private):
            yield f"exports {name} without the version {public} or {private}"
        elif node == public and not re.search(rf"(?<!\w){re.escape(last_name(name))}(?!\w)", headers):
            yield f"exports {name} as public, and no public header has it"
    for node in (public, private):
        if not any(version_of == node for _, version_of in symbols):
            yield f"exports nothing as {node}"


def faults_of_user(symbols):
    for name, node in symbols:
        if node.startswith("PYSTREAM_PRIVATE_"):
            yield f"uses {name}, which is private to the library"


def check(version, include, library, *users):
    headers = "".join(path.read_text(encoding="utf-8") for path in pathlib.Path(include).rglob("*.hpp"))
    faults = [f"{library}: {fault}" for fault in faults_of_library(symbols_of(library, "--defined-only"), version, headers)]
    for user in users:
        used = symbols_of(user, "--undefined-only")
        faults += [f"{user}: {fault}" for fault in faults_of_user(used)]
        if not any(node == f"PYSTREAM_{version}" for _, node in used):
            faults.append(f"{user}: uses nothing of the library, so this test says nothing about it")
    print("\n".join(faults) if faults else f"{library}: as it should be, and so are {len(users)} users of it")
    return faults


GOOD = [
    "0000 A PYSTREAM_1.0",
    "0000 A PYSTREAM_PRIVATE_1.0",
    "1234 T pystream::Pipeline::~Pipeline()@@PYSTREAM_1.0",
    "1234 T pystream::operator==(pystream::Item const&, pystream::Item const&)@@PYSTREAM_1.0",
    "1234 T pystream::folder[abi:cxx11]()@@PYSTREAM_1.0",
    "1234 V typeinfo for pystream::Pipeline@@PYSTREAM_1.0",
    "1234 T pystream::shm::RingWriter::commit()@@PYSTREAM_PRIVATE_1.0",
]
HEADERS = "class Pipeline { ~Pipeline(); }; bool operator==(const Item&, const Item&); path folder();"
BAD = [
    "1234 u std::ranges::sort@@PYSTREAM_1.0",
    "1234 V typeinfo for std::vector<pystream::Item, std::allocator<pystream::Item> >@@PYSTREAM_1.0",
    "1234 T pystream::Pipeline::~Pipeline()",
    "1234 T pystream::Pipeline::~Pipeline()@@PYSTREAM_0.9",
    "1234 T pystream::Pipe::close()@@PYSTREAM_1.0",
]
BAD_USE = "     U pystream::shm::RingWriter::commit()@PYSTREAM_PRIVATE_1.0"
GOOD_USE = "     U pystream::folder[abi:cxx11]()@PYSTREAM_1.0"


def self_test():
    good = [pair_of(line) for line in GOOD]
    if faults := list(faults_of_library(good, "1.0", HEADERS)):
        return f"found a fault where there is none: {faults}"
    for line in BAD:
        if not list(faults_of_library([*good, pair_of(line)], "1.0", HEADERS)):
            return f"did not see what is wrong with {line}"
    if not list(faults_of_library(good[:-1], "1.0", HEADERS)):
        return "did not see that there is nothing private"
    if list(faults_of_user([pair_of(GOOD_USE)])) or not list(faults_of_user([pair_of(BAD_USE)])):
        return "does not tell the use of private symbols from that of public ones"
    return None


if __name__ == "__main__":
    sys.exit(main_of(__doc__, self_test, check, min_arguments=4))
