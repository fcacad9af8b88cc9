#!/usr/bin/env bash
# in_namespaces.sh PROGRAM [ARGUMENT...]: runs it as the first process of namespaces (network, mounts, processes) that
# are made for it alone; whatever happens to it, the kernel ends them and all that is in them. Without the right to make
# them it fails.
set -euo pipefail

# The kernel kills the first process of the namespaces, and so all others, when unshare or this shell is killed.
namespaces=(--net --mount --pid --fork --kill-child --mount-proc)
if [[ $(id -u) -ne 0 ]]; then namespaces+=(--user --map-root-user); fi

# A changed root is no mount of its own, whose propagation could be changed.
unshare "${namespaces[@]}" true 2>/dev/null || namespaces+=(--propagation unchanged)
unshare "${namespaces[@]}" true || {
  echo "this machine does not let $(id -un) make namespaces; run it as root, or allow user namespaces" >&2
  exit 1
}

setpriv --pdeathsig KILL unshare "${namespaces[@]}" "$@" &
outside=$!
# unshare takes no notice of SIGTERM; its child does, and tells what it has seen.
trap 'kill -TERM $(cat "/proc/$outside/task/$outside/children") 2>/dev/null || true' INT TERM HUP
status=0
while wait "$outside" || status=$?; kill -0 "$outside" 2>/dev/null; do status=0; done
exit "$status"
