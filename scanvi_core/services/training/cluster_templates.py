"""The texts of the files that carry a training run to other computers.

``@NAME@`` stands for a value that `scanvi_core.services.training.cluster_scripts` fills in,
quoted as its place needs it.
"""

README = """\
Train elsewhere: run @RUN@ of project @ID@

This folder is one training run. Other computers can do the computing; the app shows the curves
and takes the results, as if it ran at home.

1. This program must be installed there, in the same version. The Python it is started with:
   @PYTHON@
2. Choose one way and type what stands there.

   A Slurm cluster            sbatch submit-slurm.sh        (there, in this folder)
   One other computer         bash submit-ssh.sh YOU@COMPUTER

   @WHERE@
   Your cluster may want to know more, such as a partition, an account or the name of a disk:
   the first lines of each file say where it goes.

How many: @SIZE@.
To stop early and keep the best model: press Stop in the app, or put an empty file  @STOP@  here.
When it broke off, by power, time limit or a more urgent job, start the same file again: it goes on
from where it was, with any number of computers. @LOG@ tells what they said.
Leave run.json as it is.
"""

SLURM = """\
#!/usr/bin/env bash
# Trains run @RUN@ of project @ID@ on a Slurm cluster:  sbatch submit-slurm.sh
#SBATCH --job-name=@NAME@
#SBATCH --nodes=@NODES@
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=@CPUS@
@GPUS@
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
#SBATCH --output=slurm-%j.log
# As estimated, with some to spare; a job that runs out of time goes on by itself.
@LIMITS@
# Your cluster may ask for more: fill in, and take away the first # of the line.
##SBATCH --partition=
##SBATCH --account=
set -u
python=@PYTHON@
run=@RUN_THERE@

if [ -z "${SLURM_JOB_ID:-}" ]; then
  echo "This script waits for its turn in the queue: start it with  sbatch $0" >&2
  exit 2
fi
if [ ! -f "$run/run.json" ]; then
  echo "$(hostname) does not see the run in $run. Is that disk shared with the cluster?" >&2
  exit 2
fi
exec >>"$run/@LOG@" 2>&1
# Slurm put the job back, so whatever gave signs of life is gone: nothing to wait for.
[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || rm -f "$run/@ALIVE@"

# What keeps the training from beginning is written where the app looks, which waits otherwise.
tell() {
  echo "$1" >&2
  if ! grep -q '@WAITS@' "$run/status"; then return; fi
  printf '{"status": "@CUT_OFF@", "message": "%s", "time": "%s", "process": ""}\n' \
    "$1" "$(date -u +%Y-%m-%dT%H:%M:%S+00:00)" >"$run/.status.fault"
  mv "$run/.status.fault" "$run/status"
}

@SETUP@
"$python" -c 'import scanvi_core'
case $? in
  0) ;;
  126 | 127)
    tell "The cluster did not begin: there is no such Python there. @MORE@"
    exit 127
    ;;
  *)
    tell "The cluster did not begin: the Python there does not have this program. @MORE@"
    exit 1
    ;;
esac

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((29500 + SLURM_JOB_ID % 1000))

# Saying which node is the head spares a guess by host names, which not every cluster passes.
# shellcheck disable=SC2016  # for the shell on each node
on_each_node='exec "$1" -m torch.distributed.run \\
  --rdzv-conf="is_host=$((SLURM_NODEID == 0))" "${@:2}"'
srun --nodes=@NODES@ --ntasks-per-node=1 --cpus-per-task=@CPUS@ \\
  bash -c "$on_each_node" on_each_node "$python" \\
  --nnodes=@NODES@ --nproc-per-node=@PROCESSES@ --rdzv-id="$SLURM_JOB_ID" \\
  --rdzv-backend=c10d --rdzv-endpoint="$head:$port" \\
  -m scanvi_core train "$run" &
step=$!

out_of_time=no
trap 'out_of_time=yes; kill -TERM "$step"' USR1 # two minutes before the time limit
trap 'kill -TERM "$step"' TERM
while kill -0 "$step" 2>/dev/null; do wait "$step"; done # a signal ends a wait early
wait "$step"
code=$?

pushed_out() { scontrol show job "$SLURM_JOB_ID" | grep -q 'PreemptTime=[0-9]'; }
if ! grep -q '@DONE@' "$run/status" && { [ "$out_of_time" = yes ] || pushed_out; }; then
  echo "The job goes back into the queue; it goes on from its last checkpoint."
  scontrol requeue "$SLURM_JOB_ID"
elif [ "$code" != 0 ]; then
  tell "The cluster did not begin (status $code). @MORE@"
fi
exit "$code"
"""

SSH = """\
#!/usr/bin/env bash
# Trains run @RUN@ of project @ID@ on one other computer:  bash submit-ssh.sh YOU@COMPUTER
# Ctrl-C stops following, not training; start the script again to follow or to go on.
set -euo pipefail
host=${1:-}
project=@PROJECT@
run=@RUN_HERE@ # within the project
shared=@SHARES_DISK@ # whether the other computer sees the project folder itself
there=@PROJECT_THERE@
needed=(@NEEDED@)
if [ -z "$host" ]; then
  echo "Say where to train:  bash submit-ssh.sh YOU@COMPUTER" >&2
  exit 2
fi

for tool in ssh $([ "$shared" = yes ] || echo rsync); do
  if ! command -v "$tool" >/dev/null; then
    echo "This computer has no $tool, which is needed here." >&2
    exit 2
  fi
done

# One connection for everything, so that a password is asked for once.
mux=$(mktemp -d /tmp/scanvi.XXXXXX)
printf '#!/bin/sh\\nexec ssh -o ControlMaster=auto -o ControlPath=%s/%%C%s "$@"\\n' \\
  "$mux" ' -o ControlPersist=60 -o ServerAliveInterval=15' >"$mux/ssh"
chmod 700 "$mux/ssh"
close() {
  "$mux/ssh" -O exit "$host" 2>/dev/null || true
  rm -rf "$mux"
}
trap close EXIT
leave() {
  printf '\\nNobody follows any more. What was begun goes on at %s.\\n' "$host"
  exit 130
}
trap leave INT TERM HUP

# Runs there: prints "running", "finished", "ended CODE" or "new"; "start" begins the training;
# "check" prints what is missing there, a line each.
there() {
  "$mux/ssh" "$host" bash -s -- "$1" <<'THERE'
set -u
if [ "$1" = check ]; then
  for tool in @TOOLS@; do
    command -v "$tool" >/dev/null || echo "There is no $tool."
  done
fi
case $1 in check | start)
@SETUP@
esac
if [ "$1" = check ]; then
  found=$(@PYTHON@ -c 'import scanvi_core; print(scanvi_core.__version__)' 2>/dev/null)
  case $? in
    0) [ "$found" = @VERSION@ ] || echo "This program has version $found there, @VERSION@ here." ;;
    126 | 127) echo "There is no such Python." ;;
    *) echo "The Python there does not have this program." ;;
  esac
  exit 0
fi
@MKDIR@cd @RUN_THERE@ || exit 1
if [ "$1" = stop ]; then
  touch @STOP@
  exit
fi
flock -n elsewhere.busy true # locked as long as one process of the training lives
case $? in 0) ;; 1) echo running && exit ;; *) exit 1 ;; esac
if [ "$1" = start ]; then
  exec 9>elsewhere.busy
  flock -n 9 || exit 1
  rm -f elsewhere.code@NO_STOP@
  setsid nohup bash -c '"$@"; echo $? >elsewhere.code' train \\
    @PYTHON@ -m torch.distributed.run --standalone --nproc-per-node=@PROCESSES@ \\
    -m scanvi_core train "$PWD" >>@LOG@ 2>&1 </dev/null &
  echo running
elif grep -q '@DONE@' status 2>/dev/null; then
  echo finished
elif [ -f elsewhere.code ]; then
  echo "ended $(cat elsewhere.code)"
else
  echo new
fi
THERE
}

copy() { [ "$shared" = yes ] || rsync -rlt -e "$mux/ssh" "$@"; }
send() {
  echo "Copying the cells to $host."
  cd "$project" && # what else is known of other runs: that they are there, and done
    copy --update --relative "${needed[@]}" runs/*/run.json runs/*/status "$host:$there/" &&
    copy --update --exclude=/@STOP@ --exclude=/@ALIVE@ --exclude='/elsewhere.*' \\
      "$run/" "$host:$there/$run/"
}
# `status` is read first and shown last: who sees "done" finds the results. While there are none,
# "few" files are enough. Always anew (-I): files of one length and second count as the same.
fetch() {
  local few=()
  [ "$shared" = no ] || return 0
  copy -I "$host:$there/$run/status" "$mux/" || return 1
  if [ "$1" = few ] && ! grep -q '@DONE@' "$mux/status"; then
    few=(--include=/metrics.jsonl --include=/@PROGRESS@ --include=/@LOG@ '--include=/preview_*'
      '--exclude=*')
  fi
  copy -I --exclude=/status --exclude=/@STOP@ --exclude=/@ALIVE@ --exclude='/elsewhere.*' \\
    --exclude='.*' ${few[@]+"${few[@]}"} "$host:$there/$run/" "$project/$run/" &&
    touch "$project/$run/@ALIVE@" &&
    cp "$mux/status" "$project/$run/.status" &&
    mv "$project/$run/.status" "$project/$run/status"
}
fetch_all() {
  local pulse code=0
  [ "$shared" = no ] || return 0
  while touch "$project/$run/@ALIVE@"; do sleep 20; done >/dev/null 2>&1 & # copying may take long
  pulse=$!
  fetch all || code=1
  kill "$pulse"
  rm -f "$project/$run/@ALIVE@"
  return "$code"
}

# In the background and waited for: a program, or $(...), that lives through Ctrl-C swallows it.
run() { "$@" & wait $!; }
ask() {
  state=lost
  run there "$1" >"$mux/said" && read -r state <"$mux/said"
}

if ! run there check >"$mux/lacks"; then
  echo "$host cannot be reached by ssh." >&2
  exit 2
fi
if [ -s "$mux/lacks" ]; then
  echo "$host is not ready:" >&2
  sed 's/^/  /' "$mux/lacks" >&2
  exit 2
fi
ask ask
case $state in running | finished) ;; *)
  run send
  ask start
  ;;
esac
echo "Training on $host; the app shows how it goes. Ctrl-C stops following only."
while [ "$state" = running ] || [ "$state" = lost ]; do
  run sleep @PAUSE@
  [ "$shared" = yes ] || [ ! -e "$project/$run/@STOP@" ] || run there stop || true
  run fetch few || true
  ask ask || echo "No connection to $host; trying again." >&2
done
run fetch_all
if [ "$state" = finished ]; then
  echo "Done; the results are in the app."
  exit
fi
if grep -q '@WAITS@' "$project/$run/status"; then # the app would wait for ever
  printf '{"status": "@CUT_OFF@", "message": "%s", "time": "%s", "process": ""}\n' \
    "The other computer did not begin ($state). @MORE@" \
    "$(date -u +%Y-%m-%dT%H:%M:%S+00:00)" >"$project/$run/.status.fault"
  mv "$project/$run/.status.fault" "$project/$run/status"
fi
echo "The training broke off ($state); $project/$run/@LOG@ says why." >&2
echo "Start this script again to go on from the last checkpoint." >&2
exit 1
"""
