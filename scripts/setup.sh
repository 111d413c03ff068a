#!/usr/bin/env bash
# Installs what is missing of the Debian packages that a job needs: scripts/setup.sh JOB... (build test demo bench).
# As root or with sudo it installs them; without either it prints the one command to run and fails.
set -euo pipefail

packages_for() {
  case "$1" in
    build) echo g++ meson ninja-build pkg-config libboost-dev libsqlite3-dev nlohmann-json3-dev libspdlog-dev \
      libcli11-dev libopencv-dev ;;
    test) echo libgtest-dev libgmock-dev libbenchmark-dev graphviz sqlite3 python3 procps git spin ;;
    demo) echo ffmpeg ;;
    bench) echo libbenchmark-dev libtbb-dev libzmq3-dev libiceoryx-posh-dev iceoryx gstreamer1.0-tools \
      gstreamer1.0-plugins-base valgrind python3 ;;
    *)
      echo "setup.sh: unknown job \"$1\"; expected build, test, demo or bench" >&2
      return 2
      ;;
  esac
}

missing=()
for job in "$@"; do
  packages=$(packages_for "$job")
  for package in $packages; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]; then
      missing+=("$package")
    fi
  done
done
[ ${#missing[@]} -gt 0 ] || exit 0

install="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo)
else
  echo "These packages are missing. Install them as root and start again:" >&2
  echo "  $install" >&2
  exit 1
fi
echo "Installing: ${missing[*]}"
log=$(mktemp)
if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive bash -c "$install" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "The installation failed; its log is $log" >&2
  exit 1
fi
rm -f "$log"
