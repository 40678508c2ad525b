#!/usr/bin/env bash
# Train with several processes on one machine, or on several with NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [ARGUMENTS OF tools/train.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/launchers/torchrun.sh" train.py "$2" "$1" "${@:3}"
