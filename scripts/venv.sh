#!/bin/sh
# Makes .venv with the first Python >= 3.11 found; says the one command to run where it can't.
set -eu

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=""
for candidate in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11; do
  if command -v "$candidate" >/dev/null 2>&1 && new_enough "$candidate"; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "Python 3.11 or newer is needed. Name it with: make PYTHON=/path/to/python3.12 ..." >&2
  exit 1
fi

# Debian and Ubuntu ship Python without the part that fills a virtual environment.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "This Python has no ensurepip; install your system's package for Python virtual environments." >&2
    exit 1
  elif [ "$(id -u)" = 0 ]; then
    apt-get update -qq && apt-get install -y -qq "$package"
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo -n apt-get update -qq && sudo -n apt-get install -y -qq "$package"
  else
    echo "One package is missing. Run this, then try again:  sudo apt install $package" >&2
    exit 1
  fi
fi

"$python" -m venv .venv
