#!/usr/bin/env bash
# What can be checked without a build: format, layers, shell scripts; and clang-tidy over what was changed.
#   scripts/lint.sh          tells what is wrong
#   scripts/lint.sh --fix    formats the sources first
# Checkers that are not installed are left out with a word; the format is that of clang-format 14, Debian 12's.
# clang-tidy takes seconds a file. It looks at files of src and workers that differ from the branch $LINT_BASE ("main"),
# and takes the compiler's options from the build folder that was set up last.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp')
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)

# check WHAT PROGRAM COMMAND...
check() {
  local what=$1 program=$2
  shift 2
  if ! command -v "$program" >/dev/null; then
    echo "$what: left out, $program is not installed"
  elif "$@"; then
    echo "$what: fine"
  else
    echo "$what: see above" >&2
    status=1
  fi
}

# A changed header is looked at with the file of the same name.
changed_units() {
  local base
  base=$(git merge-base HEAD "${LINT_BASE:-main}" 2>/dev/null || git rev-parse HEAD)
  {
    git diff --name-only --diff-filter=d "$base" -- src workers
    git ls-files --others --exclude-standard src workers
  } | sed -n 's/\.[ch]pp$/.cpp/p' | sort -u | while read -r unit; do
    if [ -f "$unit" ]; then
      echo "$unit"
    fi
  done
}

# shellcheck disable=SC2317  # called by check()
tidy() {
  printf '%s\n' "${units[@]}" |
    xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$commands" --extra-arg=-Wno-unknown-warning-option
}

if [ "${1:-}" = --fix ]; then
  clang-format -i "${sources[@]}"
fi
check format clang-format clang-format --dry-run --Werror "${sources[@]}"
check layers python3 python3 tests/layers_test.py .
check scripts shellcheck shellcheck "${scripts[@]}"

mapfile -t units < <(changed_units)
commands=$(find build -maxdepth 2 -name compile_commands.json -printf '%T@ %h\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2-)
if [ ${#units[@]} -eq 0 ]; then
  echo "clang-tidy: fine, nothing was changed"
elif [ -z "$commands" ]; then
  echo "clang-tidy: left out, there is no build folder"
else
  check "clang-tidy, ${#units[@]} files" clang-tidy tidy
fi
exit "$status"
