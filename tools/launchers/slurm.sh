#!/usr/bin/env bash
# What slurm_train.sh and slurm_test.sh share: start a tool by srun.
# usage: slurm.sh TOOL PARTITION JOB_NAME [ARGUMENTS OF THE TOOL]
set -euo pipefail
TOOLS=$(cd "$(dirname "$0")/.." && pwd)
GPUS_PER_NODE=${GPUS_PER_NODE:-4}
read -r -a SRUN_ARGS <<< "${SRUN_ARGS:-}"

PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" \
exec srun --partition="$2" \
    --job-name="$3" \
    --gres="gpu:$GPUS_PER_NODE" \
    --ntasks="${GPUS:-4}" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS[@]+"${SRUN_ARGS[@]}"} \
    python -u "$TOOLS/$1" --launcher slurm "${@:4}"
