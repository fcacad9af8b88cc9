#!/usr/bin/env bash
# ./dev torture [--minutes N] [--seed S] ...: see --help. In namespaces of its own, see in_namespaces.sh.
set -euo pipefail

HERE=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
ROOT=$(dirname -- "$(dirname -- "$HERE")")
export CHAINRING_BINARY=${CHAINRING_BINARY:-$ROOT/build/release/cli/chainring}
export JUDGE_BINARY=${JUDGE_BINARY:-$ROOT/build/release/tests/sim/judge_histories}
export PYTHONPATH=$ROOT/tests/cluster PYTHONDONTWRITEBYTECODE=1

exec "$HERE/in_namespaces.sh" python3 "$HERE/torture.py" "$@"
