#!/bin/bash
# Tries scenarios/on_slurm.sh on a SLURM of this machine alone, made from Debian's packages slurm-wlm and munge:
#
#   bash tests/engine/slurm_trial.sh [DRAWS]
#
# Three jobs are submitted one after the other with the same arguments. The first is told to end a while before
# its time limit, the second is killed at its time limit, the third completes the run. Then every file is
# verified, and draws are compared to the bit with a run without SLURM. Exit status: 77 where SLURM is missing.
set -euo pipefail

draws=${1:-20000}
here=$(cd "$(dirname "$0")/../.." && pwd)

for program in munged slurmctld slurmd sbatch openssl; do
  if ! PATH=$PATH:/usr/sbin command -v $program >/dev/null; then
    echo "SKIPPED: $program is not installed (apt-get install slurm-wlm munge openssl)" >&2
    exit 77
  fi
done
PATH=$PATH:/usr/sbin

work=$(mktemp --directory /tmp/slurm-trial-XXXXXX)
started=()
end() {
  scancel --quiet --user "$(id -un)" 2>/dev/null || true
  sleep 2
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  wait || true
  rm -rf "$work"
}
trap end EXIT

mkdir "$work/state" "$work/spool"
chmod 755 "$work"
dd if=/dev/urandom of="$work/munge.key" bs=128 count=1 status=none
chmod 600 "$work/munge.key"
munged --foreground --force --num-threads=2 --socket="$work/munge.socket" --key-file="$work/munge.key" \
  --log-file="$work/munged.log" --pid-file="$work/munged.pid" --seed-file="$work/munged.seed" &
started+=($!)

node=$(hostname -s)
port=$((20000 + RANDOM % 10000))
cat >"$work/slurm.conf" <<END
ClusterName=trial
SlurmctldHost=$node
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
# Without control groups, which containers and small machines often lack.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=trial Nodes=$node Default=YES MaxTime=60 State=UP
END
export SLURM_CONF=$work/slurm.conf
slurmctld -D &
started+=($!)
slurmd -D &
started+=($!)
for _ in {1..60}; do
  [[ $(sinfo --noheader --format=%T 2>/dev/null) == idle ]] && break
  sleep 1
done
sinfo
[[ $(sinfo --noheader --format=%T) == idle ]] || { tail -5 "$work"/*.log >&2; exit 1; }

cd "$work"
job=(--ntasks=2 --output="$work/job-%j.log")
arguments=("$here/scenarios/on_slurm.sh" "$here/scenarios/baseline.toml" --draws "$draws" --block-size 16)

# Ends with the job's state, as SLURM tells it.
submit() {
  local number
  number=$(sbatch --parsable "${job[@]}" "$@" "${arguments[@]}")
  while squeue --noheader --jobs="$number" 2>/dev/null | grep --quiet .; do sleep 1; done
  state=$(scontrol show job "$number" --oneliner | grep --only-matching 'JobState=[A-Z]*' | cut --delimiter== --fields=2)
  echo "job $number: $state"
  tail --lines=3 "$work/job-$number.log"
  log=$work/job-$number.log
}

done_draws() { asmrisk status results/baseline.zarr | sed --quiet 's/.*draws  *\([0-9,]*\) of.*/\1/p' | tr --delete ,; }
fail() { echo "FAILED: $1" >&2; exit 1; }

asmrisk warmup
submit --time=1 --signal=B:TERM@20
[[ $state == FAILED ]] || fail "the first job was not told to end"
grep --quiet "asmrisk: interrupted: .* draws are finished and kept" "$log" || fail "no word on what is kept"
first=$(done_draws)

# Warned by a signal that does nothing, it runs into the limit.
submit --time=1 --signal=B:CONT@1
[[ $state == TIMEOUT ]] || fail "the second job was not killed by its time limit"
second=$(done_draws)

submit --time=30
[[ $state == COMPLETED ]] || fail "the third job did not complete"
echo "finished draws: $first after the first job, $second after the second, $(done_draws) after the third"
((0 < first && first < second && second < draws)) || fail "the jobs did not each do a part"

asmrisk status results/baseline.zarr --verify | tee verified.txt
grep --quiet "baseline.zarr: complete" verified.txt || fail "not complete"
[[ -z $(ls --directory .asmrisk-job-* 2>/dev/null) ]] || echo "note: the killed job left its folder $(echo .asmrisk-job-*)"

compared=$((second + 16 < 5000 ? second + 16 : 5000))
asmrisk run "$here/scenarios/baseline.toml" --draws "$compared" --out alone.zarr --quiet >/dev/null
python - "$compared" <<'END'
import sys
import xarray as xr

n = int(sys.argv[1])
for group in (None, "environment"):
    there, here = (xr.open_zarr(path, group=group).isel(draw=slice(n)).load() for path in ("results/baseline.zarr", "alone.zarr"))
    for name in here.variables:
        assert there[name].values.tobytes() == here[name].values.tobytes() or here[name].dtype.kind in "OT", name
print(f"{n} draws have the same bits as without SLURM")
END
echo "PASSED"
