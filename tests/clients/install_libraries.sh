#!/usr/bin/env bash
# Installs the Node libraries that package-lock.json pins into build/clients, unless they are there. Needs the network
# only for what npm's cache does not hold.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
target=$here/../../build/clients
stamp=$target/installed.sha256
wanted=$(cat "$here/package.json" "$here/package-lock.json" | sha256sum)

if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then exit 0; fi
if ! command -v npm >/dev/null; then
  echo "npm is missing; './dev test' installs it" >&2
  exit 1
fi
mkdir -p "$target"
rm -f "$stamp"
cp "$here/package.json" "$here/package-lock.json" "$target/"
(cd "$target" && npm ci --prefer-offline --ignore-scripts --no-audit --no-fund --no-update-notifier)
printf '%s\n' "$wanted" >"$stamp"
