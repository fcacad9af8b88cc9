#!/usr/bin/env bash
# ./dev bench [--rounds N] [--requests N]: throughput through the router beside one redis-server.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
export CHAINRING_BINARY=$PWD/build/release/cli/chainring PYTHONDONTWRITEBYTECODE=1
exec python3 bench/throughput.py "$@"
