#!/usr/bin/env python3
"""Writes a C++ file that holds the files of the projects that `pystream-coord init DIR` makes.

usage: embed_project.py OUTPUT FILE...    each FILE is named LANGUAGE/NAME from its end; gitignore becomes .gitignore
"""
import pathlib
import sys

HEAD = """#include "cli/project_files.hpp"

namespace pystream::cli {

const std::vector<ProjectFile>& project_files() {
  static const std::vector<ProjectFile> kFiles{
"""
TAIL = """  };
  return kFiles;
}

}  // namespace pystream::cli
"""


def entry(path):
    name = ".gitignore" if path.name == "gitignore" else path.name
    text = path.read_text(encoding="utf-8")
    if ')file"' in text:
        raise SystemExit(f'{path}: must not contain )file"')
    return f'      {{"{path.parent.name}", "{name}", R"file({text})file"}},\n'


output, *files = map(pathlib.Path, sys.argv[1:])
output.write_text(HEAD + "".join(map(entry, files)) + TAIL, encoding="utf-8")
