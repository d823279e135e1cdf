"""A cluster and another computer that are this one, for the files that carry a run elsewhere."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from scanvi_core.services.training.cluster_scripts import Elsewhere, Machines, submit_files
from scanvi_core.version import __version__

ID = "Ab_-cdefghijklmn"
ODD = 'it\'s a $HOME `id` "x" \\ @RUN@'

# Takes the arguments of torchrun, and keeps the contract of ``scanvi_core train RUN``.
PYTHON = f"""#!{sys.executable}
import json, os, sys, time
from pathlib import Path
if sys.argv[1] == "-c":
    lacks = Path(os.environ["HERE"], "lacks").exists()
    print("0.0.1" if Path(os.environ["HERE"], "old").exists() else {__version__!r})
    sys.exit(1 if lacks else 0)
run = Path(sys.argv[-1])
with (run / "called.jsonl").open("a") as file:
    file.write(json.dumps([os.environ.get("SLURM_NODEID"), *sys.argv[1:]]) + chr(10))
mode = (run / "mode").read_text() if (run / "mode").exists() else ""
(run / "pid").write_text(str(os.getpid()))
if mode == "fail":
    sys.exit(1)
checkpoint = run / "checkpoint.safetensors"
step = int(checkpoint.read_text()) if checkpoint.exists() else 0
(run / "status").write_text(json.dumps({{"status": "running"}}))
while step < 3 or (mode == "long" and not (run / "stop").exists()):
    step += 1
    with (run / "metrics.jsonl").open("a") as file:
        file.write(str(step) + chr(10))
    part = checkpoint.with_name(f".part{{os.getpid()}}")  # two nodes write at once here
    part.write_text(str(step))
    part.replace(checkpoint)
    time.sleep(0.02)
(run / "model").mkdir(exist_ok=True)
(run / "model" / "weights").write_text(str((run.parents[1] / "dataset" / "cells").read_text()))
(run / "status").write_text(json.dumps({{"status": "done"}}))
time.sleep(0.5)  # the map is drawn last
(run / "map").touch()
"""

SRUN = """#!/usr/bin/env bash
nodes=1
while [[ $1 == --* ]]; do
  case $1 in --nodes=*) nodes=${1#*=} ;; esac
  shift
done
jobs=()
for ((i = 0; i < nodes; i++)); do
  SLURM_NODEID=$i "$@" &
  jobs+=($!)
done
trap 'kill -TERM "${jobs[@]}"; exit 143' TERM
code=0
for job in "${jobs[@]}"; do wait "$job" || code=1; done
exit $code
"""

SCONTROL = """#!/usr/bin/env bash
case "$1 $2" in
  'show hostnames') printf '%s\\n' node7 node8 ;;
  'show job') echo "JobId=$3 PreemptTime=${PREEMPTED:-None}" ;;
  requeue*) echo "$2" >>"$HERE/requeued" ;;
esac
"""

SSH = """#!/usr/bin/env bash
# Like sshd: the words of the command, with blanks between, go to a shell in the home folder.
while [[ $1 == -* ]]; do
  case $1 in -O) exit ;; -o | -l) shift ;; esac
  shift
done
[ ! -e "$HERE/offline" ] || exit 255
shift
cd "$HERE/there" && HOME=$PWD exec sh -c "$*"
"""


def make_project(tmp_path):
    """A project whose path has all that shells take amiss, and its run 0003."""
    root = tmp_path / ODD / "projects" / ID
    run = root / "runs" / "0003"
    for folder in (run, root / "dataset", root / "source", root / "runs" / "0001"):
        folder.mkdir(parents=True)
        (folder / "cells").write_text(f"of {folder.name}")
    (root / "settings.json").write_text("{}")
    (run / "run.json").write_text("{}")
    (run / "status").write_text(json.dumps({"status": "waiting"}))
    return root


@contextmanager
def make_environment(tmp_path):
    """Commands of a cluster that work on this machine; another computer is the folder there."""
    commands = {"srun": SRUN, "scontrol": SCONTROL, "ssh": SSH, "my env/python": PYTHON}
    for name, text in commands.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        path.chmod(0o700)
    (tmp_path / "there").mkdir()
    yield os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HERE": str(tmp_path),
        "SLURM_JOB_ID": "1234",
        "SLURM_JOB_NODELIST": "node[7-8]",
    }
    for path in tmp_path.rglob("pid"):  # of a test that failed half-way
        try:
            if str(tmp_path) in Path(f"/proc/{path.read_text()}/cmdline").read_text():
                os.kill(int(path.read_text()), signal.SIGKILL)
        except (OSError, ValueError):
            pass


def written(project, tmp_path, earlier=(), **choices):
    """Write the files into the run; return the run."""
    run = project / "runs" / "0003"
    python = str(tmp_path / "bin" / "my env" / "python")
    machines = Machines(**({"nodes": 2, "processes": 4, "python": python} | choices))
    for name, text in submit_files(Elsewhere(project, run, machines, earlier)).items():
        quick = text.replace("sleep 5", "sleep 0.1")
        # of its own: other tests may run at the same time
        (run / name).write_text(quick.replace("/tmp/scanvi.", f"{tmp_path}/scanvi."))
    return run


def begin(run, script, environment, *arguments):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    command = ["bash", str(run / script), *arguments]
    # whoever runs the tests in the background has interrupts ignored, which a shell keeps
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, env=environment, preexec_fn=heed, **pipes)  # noqa: PLW1509


def finish(process, code=0):
    said, _ = process.communicate(timeout=180)  # machines may be busy
    assert process.returncode == code, said
    return said


def calls(run):
    return [json.loads(line) for line in (run / "called.jsonl").read_text().splitlines()]


def status(run):
    return json.loads((run / "status").read_text())["status"]


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
