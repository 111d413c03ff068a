#!/usr/bin/env bash
# Installs what is missing of the Debian packages that a job needs: scripts/setup.sh JOB... (build test demo bench peers).
# As root or with sudo it installs them; without either it prints the one command to run and fails.
# `peers` are the systems that benchmarks compare with: what cannot be installed is named, and nothing fails.
set -euo pipefail

packages_for() {
  case "$1" in
    build) echo g++ meson ninja-build pkg-config libboost-dev libsqlite3-dev nlohmann-json3-dev libspdlog-dev \
      libcli11-dev libopencv-dev libavformat-dev libavcodec-dev libswscale-dev libjpeg-dev libtiff-dev zlib1g-dev \
      libcpp-httplib-dev node-d3 python3-dev pybind11-dev python3-pybind11 ;;
    test) echo libgtest-dev libgmock-dev libbenchmark-dev graphviz chromium chromium-driver sqlite3 python3 procps git spin \
      prometheus openssl curl python3-numpy python3-pytest python3-cloudpickle mypy ;;
    demo) echo ffmpeg ;;
    bench) echo libbenchmark-dev python3 ;;
    peers) echo libtbb-dev libzmq3-dev cmake libiceoryx-posh-dev iceoryx gstreamer1.0-tools valgrind ;;
    *)
      echo "setup.sh: unknown job \"$1\"; expected build, test, demo, bench or peers" >&2
      return 2
      ;;
  esac
}

missing_of() {
  for package in "$@"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]; then
      echo "$package"
    fi
  done
}

as_root=()
if [ "$(id -u)" != 0 ]; then
  as_root=(sudo -n)
fi

install() {
  local command="apt-get update && apt-get install -y --no-install-recommends $*"
  if ! "${as_root[@]}" true 2>/dev/null; then
    echo "These packages are missing. Install them as root and start again:" >&2
    echo "  $command" >&2
    return 1
  fi
  echo "Installing: $*"
  local log
  log=$(mktemp)
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive bash -c "$command" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "The installation failed; its log is $log" >&2
    return 1
  fi
  rm -f "$log"
}

needed=()
optional=()
for job in "$@"; do
  packages=$(packages_for "$job")
  # shellcheck disable=SC2206  # package names are words
  if [ "$job" = peers ]; then optional+=($packages); else needed+=($packages); fi
done

mapfile -t missing < <(missing_of "${needed[@]}")
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"
mapfile -t missing < <(missing_of "${optional[@]}")
for package in "${missing[@]}"; do
  install "$package" || echo "setup.sh: going on without $package" >&2
done
