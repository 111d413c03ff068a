#!/usr/bin/env bash
# Measures pystream beside everything it is to beat, in one run: installs what is missing, builds, runs every benchmark
# in repetitions, writes JSON and a table with targets.
#   scripts/bench.sh [--short | --full] [--compare OLD.json] [--output DIR] [--readme]
#     --short    under two minutes (the default); --full takes some fifteen, for figures to keep
#     --compare  results.json of an earlier run: what has changed
#     --output   where the results go (build/bench/results)
#     --readme   writes the tables of README.md and src/docs/benchmarks.md
# Nothing else should run on the machine meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \?//;p}' "$0"
}

mode=(--short)
output=build/bench/results
report=()
while [ $# -gt 0 ]; do
  case $1 in
    --short) mode=(--short) ;;
    --full) mode=() ;;
    --compare | --output)
      [ $# -gt 1 ] || { echo "bench.sh: $1 lacks its value" >&2; exit 2; }
      if [ "$1" = --compare ]; then report+=(--compare "$2"); else output=$2; fi
      shift
      ;;
    --readme) report+=(--readme README.md --page src/docs/benchmarks.md) ;;
    -h | --help) usage && exit 0 ;;
    *) echo "bench.sh: \"$1\" is no option" >&2 && usage >&2 && exit 2 ;;
  esac
  shift
done

scripts/setup.sh build test bench peers
build=build/bench
if [ ! -f "$build/build.ninja" ]; then
  meson setup "$build" -Dbuildtype=release -Dtests=enabled -Dbenchmarks=enabled
fi
meson compile -C "$build" report_programs

mkdir -p "$output"
rm -f "$output"/*.json
programs=$build/tests/bench
failed=()
measure() {
  local name=$1
  shift
  "$@" || failed+=("$name")
}
for name in chain pipeline hop sizes forward frames many nested serial idle latency profile replicas branches recovery; do
  measure "$name" "$programs/${name}_bench" "${mode[@]}" --json "$output/$name.json"
done
measure peers tests/bench/peers_bench.py "${mode[@]}" --json "$output/peers.json"
measure instructions tests/bench/instructions_bench.py "$programs/counted_work" "${mode[@]}" \
  --json "$output/instructions.json"
if [ -x "$programs/ring_bench" ]; then
  seconds=0.5
  [ ${#mode[@]} -eq 0 ] || seconds=0.02
  measure ring "$programs/ring_bench" --benchmark_min_time=$seconds --benchmark_out="$output/google_ring.json" \
    --benchmark_out_format=json
fi

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
scripts/bench_report.py "$output" --machine "$(nproc) cores, ${processor:-unknown}, Linux $(uname -r)" "${report[@]}"
echo
echo "The whole report: $output/report.md; for --compare: $output/results.json"
[ ${#failed[@]} -eq 0 ] || { echo "These failed and are not in it: ${failed[*]}" >&2; exit 1; }
