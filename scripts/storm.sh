#!/usr/bin/env bash
# At least 10,000 random kills of the workers of one pipeline, over millions of items, with a profile being written: one
# worker at a time, neighbours, all at once, some only stopped for a while. The output must be that of an undisturbed
# run, byte for byte, and the profile database intact. Usage: scripts/storm.sh [BUILD_FOLDER [KILLS [ITEMS [SEED]]]]
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:-build/test}")
kills=${2:-10000}
items=${3:-20000000}
seed=${4:-$RANDOM}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/plan.json" <<PLAN
{"plugins": ["libpystream_testing.so"],
 "source": {"type": "generate", "params": {"size": 8}},
 "stages": [{"name": "Add", "type": "test.add"},
            {"name": "Row", "mode": "serial", "replicas": 2, "stages": [{"name": "Mix", "type": "test.mix"},
                                                         {"name": "Some", "type": "test.filter", "params": {"n": 3}}]},
            {"name": "Twice", "type": "test.repeat", "replicas": 2}],
 "sink": {"type": "file_writer", "params": {"newline": "never", "path": "$work/out.bin"}}}
PLAN
"$build/src/cli/pystream-coord" chaos "$work/plan.json" --kills "$kills" --items "$items" --seed "$seed" --interval 3ms \
  --verify --keep "$work/kept"
for database in "$work"/kept/profiles/*.sqlite; do
  intact=$(sqlite3 "$database" 'PRAGMA integrity_check')
  echo "database  integrity_check: $intact"
  [ "$intact" = ok ]
done
