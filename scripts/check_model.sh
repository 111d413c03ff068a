#!/usr/bin/env bash
# Has SPIN look at every interleaving of the model of commit, wake-up and recovery (tests/model/link.pml), and shows
# that each thing that can be left out of it is missed. Usage: scripts/check_model.sh [KILLS] (2; a few minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
command -v spin >/dev/null || { echo "check_model.sh: spin is not installed (Debian's package spin)" >&2; exit 1; }
kills=${1:-2}
model=$PWD/tests/model/link.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# search NAME=VALUE...: prints what pan says
search() {
  local defines=("${@/#/-D}")
  rm -f pan pan.* ./*.trail
  spin "${defines[@]}" -a "$model" >spin.log
  gcc -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c 2>gcc.log
  ./pan -m1000000 -w24 >pan.log
  cat pan.log
}

for mode in 0 1 2; do
  search MODE=$mode KILLS="$kills" >/dev/null
  if ! grep -q 'errors: 0' pan.log || grep -qE 'max search depth too small|out of memory|memory limit' pan.log; then
    cat pan.log >&2
    echo "mode $mode: not proven" >&2
    exit 1
  fi
  echo "mode $mode, $kills kills: $(awk '/states, stored/ {print $1}' pan.log) states, no error"
done

# What is left out, and the mode in which it shows.
for broken in '1 1' '2 1' '3 1' '4 1' '5 2' '6 1' '7 1'; do
  read -r number mode <<<"$broken"
  search MODE="$mode" KILLS=1 BREAK="$number" >/dev/null
  if grep -q 'errors: 0' pan.log; then
    echo "BREAK=$number: the model does not see it" >&2
    exit 1
  fi
  echo "BREAK=$number: $(grep -m1 'pan:1:' pan.log)"
done
