#!/usr/bin/env bash
# ./dev bench [--rounds N] [--requests N]: throughput through the router beside one redis-server.
# ./dev bench reads [--rounds N] [--seconds S]: reads from any member beside reads from the head.
# ./dev bench ring [ARGS]: how good the placement of slots is; a wrong argument prints the right ones.
# ./dev bench failover [--rounds N] [--quick]: what clients see when something fails and while slots move; see --help.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} == ring ]]; then
  cmake --build build/release --target ring_quality >&2
  exec build/release/bench/ring/ring_quality "${@:2}"
fi
export CHAINRING_BINARY=${CHAINRING_BINARY:-$PWD/build/release/cli/chainring} PYTHONDONTWRITEBYTECODE=1
if [[ ${1:-} == failover ]]; then
  if [[ -z ${LOAD_BINARY:-} ]]; then cmake --build build/release --target cluster_load >&2; fi
  export LOAD_BINARY=${LOAD_BINARY:-$PWD/build/release/bench/load/cluster_load}
  export PYTHONPATH=$PWD/tests/cluster:$PWD/tests/torture
  exec tests/torture/in_namespaces.sh python3 bench/failover.py "${@:2}"
fi
if [[ ${1:-} == reads ]]; then
  exec python3 bench/reads.py "${@:2}"
fi
exec python3 bench/throughput.py "$@"
