#!/usr/bin/env bash
# Train with Slurm:  tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]
# GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) and SRUN_ARGS come from the environment; GPUS_PER_NODE=0 asks for none
# and starts GPUS gloo processes.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [arguments of tools/train.py]" >&2
    exit 2
fi
partition=$1
job=$2
config=$3
shift 3
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-$tools/../.venv/bin/python}
[ -x "$python" ] || python=python3
per_node=${GPUS_PER_NODE:-8}
resources=(--ntasks "${GPUS:-8}" --cpus-per-task "${CPUS_PER_TASK:-5}")
[ "$per_node" -gt 0 ] && resources+=(--gres "gpu:$per_node" --ntasks-per-node "$per_node")
# shellcheck disable=SC2086  # SRUN_ARGS is a list of words
exec srun -p "$partition" --job-name "$job" "${resources[@]}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "$python" -u "$tools/train.py" "$config" --launcher slurm "$@"
