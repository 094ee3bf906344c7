#!/bin/sh
# Prints the folder in which require('ssh2') works: npm's ssh2, put into the project's cache without its install scripts. It
# is one more client for the tests and no dependency.
set -eu
cache=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)/.cache/ssh2
if [ ! -d "$cache/node_modules/ssh2" ]; then
  work=$(mktemp -d "$(dirname -- "$cache")/ssh2.XXXXXX" 2>/dev/null) || {
    mkdir -p "$(dirname -- "$cache")"
    work=$(mktemp -d "$(dirname -- "$cache")/ssh2.XXXXXX")
  }
  trap 'rm -rf "$work"' EXIT
  echo '{ "private": true }' > "$work/package.json"
  (cd "$work" && timeout 120 npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional --no-package-lock ssh2@1.17.0 >&2)
  chmod 755 "$work"
  [ -d "$cache/node_modules/ssh2" ] || mv -T "$work" "$cache" 2>/dev/null || [ -d "$cache/node_modules/ssh2" ]
fi
echo "$cache"
