#!/usr/bin/env bash
# ./dev bench [--rounds N] [--requests N]: throughput through the router beside one redis-server.
# ./dev bench ring [ARGS]: how good the placement of slots is; a wrong argument prints the right ones.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} == ring ]]; then
  cmake --build build/release --target ring_quality >&2
  exec build/release/bench/ring/ring_quality "${@:2}"
fi
export CHAINRING_BINARY=$PWD/build/release/cli/chainring PYTHONDONTWRITEBYTECODE=1
exec python3 bench/throughput.py "$@"
