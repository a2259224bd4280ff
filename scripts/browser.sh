#!/bin/sh
# Makes sure the browser tests find a Chromium; says the one command to run where it can't install it.
set -eu

found() {
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null 2>&1 && return 0
  done
  [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ] && return 0
  [ -x "/Applications/Chromium.app/Contents/MacOS/Chromium" ] && return 0
  [ -n "${CHROMIUM:-}" ] && [ -x "${CHROMIUM:-}" ] && return 0
  [ -x "$(.venv/bin/python -c 'from playwright.sync_api import sync_playwright as p
with p() as q: print(q.chromium.executable_path)' 2>/dev/null)" ]
}

found && exit 0
if command -v apt-get >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ]; then
    apt-get update -qq && apt-get install -y -qq chromium >/dev/null
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo -n apt-get update -qq && sudo -n apt-get install -y -qq chromium >/dev/null
  fi
fi
found && exit 0
echo "The browser tests need Chromium. Run this, then try again:  .venv/bin/python -m playwright install --with-deps chromium" >&2
exit 1
