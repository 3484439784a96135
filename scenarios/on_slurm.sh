#!/bin/bash
# Runs scenarios on a SLURM cluster: a dask scheduler and the client on the first node, a worker for each task.
#
#   sbatch scenarios/on_slurm.sh scenarios/baseline.toml --draws 100000
#   sbatch --ntasks=200 --time=1-00:00:00 scenarios/on_slurm.sh scenarios/*.toml --draws 100000
#
# The arguments are those of `asmrisk run`. If the time limit comes first, submit the same again: what is
# finished is kept. The folder of submission must be shared by the nodes, asmrisk be installed in it or for all
# (load modules or activate an environment before submitting).
#
#SBATCH --job-name=asmrisk
#SBATCH --ntasks=8
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@60
set -euo pipefail

# Dask lets everybody who can connect run programs as you. Only who reads this folder can connect. The status pages
# have no such lock, and stay on each node.
umask 077
folder=$(mktemp --directory "$PWD/.asmrisk-job-XXXXXX")
tls=(--tls-ca-file "$folder/cert.pem" --tls-cert "$folder/cert.pem" --tls-key "$folder/key.pem")
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=asmrisk \
  -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>"$folder/openssl.log"

end() {
  kill $(jobs -p) 2>/dev/null || true
  wait || true
  rm -rf "$folder"
}
trap end EXIT

# What dask writes, and imports from, would lie in a folder that all users of a node share. Nobody else is in this one.
export DASK_TEMPORARY_DIRECTORY=$folder DASK_DISTRIBUTED__WORKER__USE_FILE_LOCKING=False
file=$folder/scheduler.json
dask scheduler --protocol tls "${tls[@]}" --port 0 --dashboard-address 127.0.0.1:0 --scheduler-file "$file" 2>"$folder/scheduler.log" &
until [[ -s $file ]]; do
  kill -0 $! 2>/dev/null || { cat "$folder/scheduler.log" >&2; exit 1; }
  sleep 0.2
done

# A worker that dies does not end the others; the run does its blocks again.
srun --no-kill --kill-on-bad-exit=0 --wait=0 --output="$folder/worker-%t.log" \
  dask worker "${tls[@]}" --scheduler-file "$file" --nthreads 1 --no-nanny --dashboard-address 127.0.0.1:0 \
  --memory-limit 0 &

asmrisk run "$@" --scheduler "$file" "${tls[@]}" &
run=$!
# A minute before the time limit, the run ends by itself and says what it keeps.
trap 'kill -TERM "$run"' TERM
code=0
wait "$run" || code=$?
# A signal ends the waiting before the run has ended.
while kill -0 "$run" 2>/dev/null; do wait "$run" || code=$?; done
exit "$code"
