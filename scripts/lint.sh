#!/usr/bin/env bash
# What can be checked without a build: format, layers, shell scripts.
#   scripts/lint.sh          tells what is wrong
#   scripts/lint.sh --fix    formats the sources first
# Checkers that are not installed are left out with a word; the format is that of clang-format 14, Debian 12's.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp')
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)

check() {
  local what=$1 program=$2
  shift
  if ! command -v "$program" >/dev/null; then
    echo "$what: left out, $program is not installed"
  elif "$@"; then
    echo "$what: fine"
  else
    echo "$what: see above" >&2
    status=1
  fi
}

if [ "${1:-}" = --fix ]; then
  clang-format -i "${sources[@]}"
fi
check format clang-format --dry-run --Werror "${sources[@]}"
check layers python3 tests/layers_test.py .
check scripts shellcheck "${scripts[@]}"
exit "$status"
