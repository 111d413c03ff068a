#!/bin/sh
# Tests longest_word.sh without a pipeline.
set -eu

# check INPUT EXPECTED
check() {
  answer=$(printf '%s\n' "$1" | sh longest_word.sh)
  if [ "$answer" != "$2" ]; then
    echo "of \"$1\": found \"$answer\", expected \"$2\"" >&2
    exit 1
  fi
}

check 'a stream of items' 'stream'
check 'one two' 'one'
check '' ''
check 'not a * pattern' 'pattern'
echo 'test.sh: all passed'
