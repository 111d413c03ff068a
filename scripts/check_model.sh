#!/usr/bin/env bash
# Has SPIN look at every interleaving of the models of commit, wake-up and recovery (tests/model), and shows that each
# thing that can be left out of them is missed. Usage: scripts/check_model.sh [KILLS] [full]
# KILLS: how many processes are killed (2: up to ten minutes; 1: half of that). full: also what takes minutes alone.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v spin >/dev/null || { echo "check_model.sh: spin is not installed (Debian's package spin)" >&2; exit 1; }
kills=${1:-2}
extent=${2:-}
models=$PWD/tests/model
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# search MODEL NAME=VALUE...: prints what pan says
search() {
  local model=$models/$1.pml
  local defines=("${@:2}")
  defines=("${defines[@]/#/-D}")
  rm -f pan pan.* ./*.trail
  spin "${defines[@]}" -a "$model" >spin.log
  gcc -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c 2>gcc.log
  ./pan -m1000000 -w24 >pan.log
  cat pan.log
}

# proven MODEL MODE [ROOM] [KILLS] [NAME=VALUE...]
proven() {
  local deaths=${4:-$kills}
  search "$1" MODE="$2" ROOM="${3:-1}" KILLS="$deaths" "${@:5}" >/dev/null
  if ! grep -q 'errors: 0' pan.log || grep -qE 'search depth too small|out of memory|not completed' pan.log; then
    cat pan.log >&2
    echo "$1, mode $2, room ${3:-1}: not proven" >&2
    exit 1
  fi
  local states
  states=$(awk '/states, stored/ {print $1}' pan.log)
  echo "$1, mode $2, room ${3:-1}, $deaths kills${5:+, $5}: $states states, no error"
}
for mode in 0 1 2 3; do
  proven link "$mode"
done
proven link 3 2
for mode in 0 1; do
  proven row "$mode"
done
for room in 1 2; do
  proven fan 0 "$room"
done
for mode in 0 1; do
  proven dealing "$mode"
  proven dealing "$mode" 2 1
  if [ "$extent" = full ] && [ "$kills" != 1 ]; then
    proven dealing "$mode" 2
  fi
done
for mode in 0 1 2 3; do
  proven collecting "$mode"
done
proven collecting 0 2 1
for mode in 0 1 2 3 4; do
  proven following "$mode"
done
proven following 2 2 1
proven following 0 1 1 ROOM_D=2
if [ "$extent" = full ]; then
  proven following 1 2 1
  proven following 3 1 1 ROOM_D=2
fi
for mode in 0 1 2 3 4; do
  proven joining "$mode"
done
if [ "$extent" = full ]; then
  proven joining 3 1 1 ITEMS=3
  for mode in 0 1 2; do
    proven joining "$mode" 2 1 ITEMS=2
  done
fi
for mode_and_room in '0 1' '1 1' '2 2' '3 2'; do
  read -r mode room <<<"$mode_and_room"
  proven zip "$mode" "$room"
done
# Of more than one host: two kills of two writers are too much to explore.
for mode in 0 2 3; do
  proven hosts "$mode" 1 1
done
proven hosts 1 1 0
proven hosts 1 1 1 ITEMS=1

# What is left out, and the model, mode and room in which it shows.
for broken in 'link 1 1 1' 'link 2 1 1' 'link 3 1 1' 'link 4 1 1' 'link 5 2 1' 'link 6 1 1' 'link 7 3 1' 'link 8 3 1' \
  'link 9 3 2' 'link 10 3 1' 'link 13 3 1' 'link 14 3 1' 'row 1 1 1' 'row 11 0 1' 'row 12 1 1' \
  'fan 6 0 1' 'fan 15 0 1' 'fan 16 0 1' 'fan 17 0 1' \
  'dealing 1 0 1' 'dealing 4 0 1' 'dealing 6 0 1' 'dealing 15 0 1' 'dealing 18 0 1' 'dealing 21 0 1' \
  'dealing 23 0 1' 'dealing 24 0 1' 'dealing 25 0 1' 'dealing 27 0 1' 'dealing 27 1 1' 'dealing 29 0 1' \
  'collecting 4 1 1' 'collecting 11 0 1' 'collecting 20 1 1' 'collecting 22 0 1' 'collecting 26 1 1' \
  'collecting 28 0 1' \
  'following 1 4 1' 'following 4 0 1' 'following 6 4 1' 'following 11 0 1' 'following 17 0 1' 'following 18 0 1' \
  'following 20 0 1' 'following 37 0 1' 'following 37 4 1' 'following 38 0 1' 'following 39 1 1' 'following 40 0 1' \
  'following 41 0 1' 'following 42 3 1' 'following 43 3 1' \
  'joining 20 0 1' 'joining 31 0 1' 'joining 32 0 1' 'joining 33 3 1' 'joining 34 2 1' 'joining 35 2 1' \
  'joining 36 0 1' 'joining 36 2 1' 'joining 37 4 1' \
  'zip 30 1 1' 'zip 30 2 2' 'zip 30 3 2' \
  'hosts 51 0 1' 'hosts 52 0 1' 'hosts 53 2 1' 'hosts 54 1 1' 'hosts 55 0 1' 'hosts 56 3 1' 'hosts 57 3 1'; do
  read -r model number mode room <<<"$broken"
  search "$model" MODE="$mode" ROOM="$room" KILLS=1 BREAK="$number" >/dev/null
  if grep -q 'errors: 0' pan.log; then
    echo "$model BREAK=$number: it is not seen" >&2
    exit 1
  fi
  echo "$model BREAK=$number: $(grep -m1 'pan:1:' pan.log)"
done
