#!/usr/bin/env bash
# Test with several processes on one machine, or on several with NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [ARGUMENTS OF tools/test.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/launchers/torchrun.sh" test.py "$3" "$1" "$2" "${@:4}"
