#!/usr/bin/env bash
# Train with several processes on this machine:  tools/dist_train.sh CONFIG PROCESSES [arguments of tools/train.py]
# One process a GPU, or gloo processes where there is none. More machines: NNODES, NODE_RANK, MASTER_ADDR, MASTER_PORT.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [arguments of tools/train.py]" >&2
    exit 2
fi
config=$1
processes=$2
shift 2
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-$tools/../.venv/bin/python}
[ -x "$python" ] || python=python3
rendezvous=(--master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${MASTER_PORT:-29500}")
exec "$python" -m torch.distributed.run --nnodes "${NNODES:-1}" --node_rank "${NODE_RANK:-0}" \
    --nproc_per_node "$processes" "${rendezvous[@]}" "$tools/train.py" "$config" --launcher pytorch "$@"
