#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: start a tool in GPUS processes on each machine.
# usage: torchrun.sh TOOL GPUS [ARGUMENTS OF THE TOOL]; NNODES, NODE_RANK, MASTER_ADDR, PORT count.
set -euo pipefail
TOOLS=$(cd "$(dirname "$0")/.." && pwd)

PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" \
exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$2" \
    "$TOOLS/$1" --launcher pytorch "${@:3}"
