#!/usr/bin/env bash
# Installs what is missing of the Debian packages that a job needs: scripts/setup.sh JOB... (build test docs package demo
# bench peers nats).
# As root or with sudo it installs them; without either it prints the one command to run and fails.
# `peers` are the systems that benchmarks compare with: what cannot be installed is named, and nothing fails.
# `nats` installs nothing: it puts a NATS server that is new enough into build/nats, if the mirror has one.
set -euo pipefail

packages_for() {
  case "$1" in
    build) echo g++ meson ninja-build pkg-config libboost-dev libsqlite3-dev nlohmann-json3-dev libspdlog-dev \
      libcli11-dev libopencv-dev libavformat-dev libavcodec-dev libswscale-dev libjpeg-dev libtiff-dev zlib1g-dev \
      libcpp-httplib-dev node-d3 python3-dev pybind11-dev python3-pybind11 libnats-dev ;;
    test) echo libgtest-dev libgmock-dev libbenchmark-dev graphviz chromium chromium-driver sqlite3 python3 procps git spin \
      prometheus openssl curl python3-numpy python3-pytest python3-cloudpickle mypy gdb valgrind python3-yaml systemd \
      mandoc man-db groff-base bash-completion zsh fish cmake make dpkg-dev debhelper dh-python $(packages_for docs) ;;
    docs) echo pandoc doxygen graphviz ;;
    package) echo dpkg-dev debhelper dh-python cmake ;;
    demo) echo ffmpeg ;;
    bench) echo libbenchmark-dev python3 ;;
    peers) echo libtbb-dev libzmq3-dev cmake libiceoryx-posh-dev iceoryx gstreamer1.0-tools valgrind ;;
    *)
      echo "setup.sh: unknown job \"$1\"; expected build, test, docs, package, demo, bench, peers or nats" >&2
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

# The mirror and the keys of this system's own sources, one a line: "URI KEYRING".
mirrors() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    awk -F': *' '$1 == "URIs" { uri = $0; sub(/^URIs: */, "", uri); sub(/ .*/, "", uri) } $1 == "Signed-By" { key = $2 }
      $1 == "Suites" { suites = $2 } /^$/ { if (suites !~ /security/) print uri, key; uri = key = suites = "" }
      END { if (uri != "" && suites !~ /security/) print uri, key }' "$file"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    sed -nE 's/^deb +(\[[^]]*signed-by=([^] ]+)[^]]*\] +)?([^ ]+) +[^ ]+ .*\bmain\b.*/\3 \2/p' "$file"
  done
}

# true if the version $1 is at least $2
at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# Debian 12 has 2.9.10, which loses what it acknowledged. The binary of a later release needs nothing that Debian 12 does
# not have. It is unpacked, not installed.
nats_server() {
  local folder=$PWD/build/nats version suite mirror key
  version=$("$folder/nats-server" --version 2>/dev/null | sed -n 's/.*v//p' || true)
  if [ -n "$version" ] && at_least "$version" 2.15; then return; fi
  local work
  work=$(mktemp -d)
  for suite in sid trixie; do
    while read -r mirror key; do
      local state=$work/$suite
      rm -rf "$state"
      mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/unpacked"
      echo "deb ${key:+[signed-by=$key]} $mirror $suite main" >"$state/sources.list"
      local options=(-o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/cache" -o APT::Sandbox::User=root)
      apt-get "${options[@]}" update >"$work/log" 2>&1 || continue
      (cd "$state" && apt-get "${options[@]}" download nats-server >>"$work/log" 2>&1) || continue
      dpkg-deb -x "$state"/nats-server_*.deb "$state/unpacked" || continue
      version=$("$state/unpacked/usr/bin/nats-server" --version 2>/dev/null | sed -n 's/.*v//p' || true)
      [ -n "$version" ] || version=$("$state/unpacked/usr/sbin/nats-server" --version 2>/dev/null | sed -n 's/.*v//p' || true)
      if [ -n "$version" ] && at_least "$version" 2.10.27; then
        mkdir -p "$folder"
        cp "$(find "$state/unpacked" -name nats-server -type f -perm -u+x | head -n 1)" "$folder/nats-server"
        rm -rf "$work"
        echo "nats-server $version is in $folder"
        return
      fi
    done < <(mirrors | sort -u)
  done
  tail -n 3 "$work/log" >&2 || true
  rm -rf "$work"
  echo "setup.sh: no mirror of this system has a nats-server of at least 2.10.27; tests that need one are skipped" >&2
}

needed=()
optional=()
for job in "$@"; do
  if [ "$job" = nats ]; then
    nats_server
    continue
  fi
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
