#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")/.."
meson setup build
meson test -C build
