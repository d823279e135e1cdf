"""Runs that other processes train: started here, or handed over to other computers.

A run that is followed when the program ends is followed again when the project is opened.
"""

import os
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from scanvi_core import runtime
from scanvi_core.config import MOST_PROCESSES
from scanvi_core.errors import SettingInvalid, TrainingError
from scanvi_core.project import access, runs
from scanvi_core.project.runs import Run, status_seen
from scanvi_core.services import jobs
from scanvi_core.services.runs import train_request
from scanvi_core.services.runs.frozen_run import Outside
from scanvi_core.services.runs.inputs import check_labels
from scanvi_core.services.runs.train_request import AWAITED, TRAIN, TrainRequest
from scanvi_core.services.training import train_plan
from scanvi_core.services.training.cluster_scripts import Elsewhere, Machines, submit_files
from scanvi_core.services.training.monitor import GO_ON, TeamEnded, follow
from scanvi_core.services.training.needs import needs
from scanvi_core.services.workspace import Workspace

END_S = 20.0  # for processes to write a checkpoint when the program ends


def start_here(opened: Workspace, request: TrainRequest, processes: int) -> str:
    """Train with several processes on this computer; return the job id.

    Raises
    ------
    LabelsUnusable
        If the labels cannot train a model.
    JobRefused
        If this project is training already.
    """
    if not 2 <= processes <= MOST_PROCESSES:
        raise SettingInvalid(f"{processes} processes.", f"Choose 2 to {MOST_PROCESSES}.")
    request = _checked(opened, request)

    def work(job: jobs.Job) -> str:
        return _train_here(opened, _prepared(opened, request, job, Outside(processes)), job)

    return _submit(opened, train_request.lane(request.train.device), work)


def go_on_here(opened: Workspace, run: Run) -> str:
    """Go on, with several processes, with a run that they began here; return the job id."""
    device = run.settings.train.device
    opened.project.update_settings(**{AWAITED: run.id})
    return _submit(opened, train_request.lane(device), lambda job: _train_here(opened, run, job))


def hand_over(opened: Workspace, request: TrainRequest, machines: Machines) -> str:
    """Prepare a run for other computers, and follow it until it has ended; return the job id.

    Raises
    ------
    LabelsUnusable
        If the labels cannot train a model.
    JobRefused
        If this project is training already.
    """
    request = _checked(opened, request)

    def work(job: jobs.Job) -> str:
        run = _prepared(opened, request, job, Outside(1, machines.store))
        root, frozen = opened.project.root, run.settings
        earlier = filter(None, {frozen.warm_from, frozen.map_from})
        folders = tuple(root / "runs" / name for name in earlier)
        asked = needs(opened, request, machines.processes)
        where = Elsewhere(root, run.root, machines, folders, asked)
        for name, text in submit_files(where).items():
            (run.root / name).write_text(text, encoding="utf-8", newline="\n")
        return follow(opened, run, job)

    return _submit(opened, f"follow:{opened.id}", work)


def follow_again(opened: Workspace) -> None:
    """Follow the run whose results are awaited, unless that is done already.

    Who may only look leaves that to those who may take the results.
    """
    run = awaited(opened)
    if run is None or jobs.active(opened.id, TRAIN):
        return
    if access.refusal(opened.project.root):
        return
    if status_seen(run).status not in (runs.FAILED, runs.STOPPED, runs.INTERRUPTED):
        _submit(opened, f"follow:{opened.id}", lambda job: follow(opened, run, job))


def awaited(opened: Workspace) -> Run | None:
    """Return the run that other processes train and whose results are to be shown, if any."""
    project = opened.project
    run_id = project.settings.get(AWAITED)
    return Run.open(project, run_id) if run_id else None


def waits_for_machine(opened: Workspace) -> Path | None:
    """Return the folder of the run that was prepared for other computers and is not begun."""
    run = awaited(opened)
    if run is None or run.status.status != runs.WAITING or run.settings.processes > 1:
        return None
    return run.root


def quoted(path: Path) -> str:
    """Return a path as a shell reads it."""
    return shlex.quote(str(path))


def with_layer_norm(opened: Workspace, request: TrainRequest) -> TrainRequest:
    """Return the request with layer norm, which several processes need.

    It goes on from the current model only where that has layer norm, too.
    """
    model = replace(request.model, use_layer_norm=True)
    warm = request.warm and train_plan.can_go_on(opened, model)
    return TrainRequest(model, request.train, warm)


def _checked(opened: Workspace, request: TrainRequest) -> TrainRequest:
    """Return the request for processes, if the labels can train a model."""
    check_labels(opened)
    return with_layer_norm(opened, request)


def _prepared(opened: Workspace, request: TrainRequest, job: jobs.Job, outside: Outside) -> Run:
    """Freeze a run, and cut out the counts that all its processes read."""
    from scanvi_core.services.training.in_process import begin
    from scanvi_core.services.training.trainer import Trainer

    run = begin(opened, request, job, outside)
    if outside.store is None:
        job.report(0.02, "Writing the counts of these genes")
        _ = Trainer(opened.project, opened.dataset, run, job).counts
    run.set_status(runs.WAITING)
    opened.project.update_settings(**{AWAITED: run.id})
    return run


def _submit(opened: Workspace, lane: str, work: Any) -> str:
    return jobs.submit(jobs.JobRequest(opened.id, TRAIN, lane, work))


def _train_here(opened: Workspace, run: Run, job: jobs.Job) -> str:
    """Start the processes of a run and follow them; they end with this program."""
    n = run.settings.processes
    run.set_status(runs.WAITING)  # what it was when it was cut off is over
    job.report(0.03, f"Starting {n} processes")
    log = run.paths.log
    with log.open("ab") as file:
        begun = file.tell()
        team = _started(run, n, file)
    try:
        return follow(opened, run, job, team)
    except TeamEnded as error:
        _wait(team)
        output = log.read_bytes()[begun:].decode("utf-8", "replace")
        cause = _root_cause(output, n) or str(error) or f"The {n} processes could not be started."
        raise TrainingError(cause, f"{GO_ON} Their words: {log}.") from error
    finally:
        if team.poll() is None:
            team.terminate()  # torchrun passes it on; they write a checkpoint
            _wait(team)


def _wait(team: "subprocess.Popen[bytes]") -> None:
    try:
        team.wait(END_S)
    except subprocess.TimeoutExpired:
        import psutil

        own = psutil.Process(team.pid)
        for process in (*own.children(recursive=True), own):  # torchrun alone would leave them
            with suppress(psutil.NoSuchProcess):
                process.kill()
        team.wait()


def _started(run: Run, n: int, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n}",
        "-m", "scanvi_core", "train", str(run.root),
    ]  # fmt: skip
    here = str(runtime.CODE)
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": str(max(1, runtime.worker_threads() // n)),
        "PYTHONFAULTHANDLER": "1",  # one that crashes writes where into the log
    }
    if sys.platform.startswith("linux"):
        environment["GLOO_SOCKET_IFNAME"] = "lo"  # nobody outside this computer is to take part
    return subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
    )


def _root_cause(output: str, n: int) -> str:
    """Return which process ended first, from what torchrun wrote; empty where it did not."""
    cause = output.rpartition("Root Cause")[2]
    rank, code = (re.search(rf"{what}\s*:\s*(-?\d+)", cause) for what in ("rank", "exitcode"))
    if rank is None or code is None:
        return ""
    how = f"signal {-int(code[1])}" if int(code[1]) < 0 else f"status {code[1]}"
    return f"Process {int(rank[1]) + 1} of {n} ended ({how}). The others were stopped."
