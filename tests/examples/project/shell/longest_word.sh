#!/bin/sh
# The longest word of each line; of several the first. A stage gets a line for each item and answers with one line,
# before it reads the next one.
set -f  # words are no patterns
while IFS= read -r line; do
  longest=
  for word in $line; do
    if [ "${#word}" -gt "${#longest}" ]; then
      longest=$word
    fi
  done
  printf '%s\n' "$longest"
done
