#!/usr/bin/env bash
# Test on a Slurm cluster. GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS come from the environment.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [ARGUMENTS OF tools/test.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/launchers/slurm.sh" test.py "$@"
