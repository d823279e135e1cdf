"""Runs that other processes train, followed by the app: the same model, wherever it is trained."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import psutil
import pytest

from scanvi_core import cli
from scanvi_core.config import SILENT_S
from scanvi_core.errors import SettingInvalid
from scanvi_core.project import heartbeat, runs
from scanvi_core.project.folder import open_project
from scanvi_core.project.runs import Run, status_seen
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty_job
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.runs import results, train_request
from scanvi_core.services.training import distributed, resume
from scanvi_core.services.training.cluster_scripts import Machines
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.project.run_settings import settings

WAIT_S = 300.0  # machines are busy with other tests
LONG = 10_000  # epochs: until it is stopped


@pytest.fixture(autouse=True)
def begun(monkeypatch):
    """Leave out what comes after a training; return the projects it began for."""
    projects = []
    monkeypatch.setattr(uncertainty_job, "begin", lambda opened: projects.append(opened.id))
    return projects


@pytest.fixture
def endless(request_brief):
    """A training that lasts until somebody ends it."""
    return replace(request_brief, train=replace(request_brief.train, max_epochs=LONG))


@contextmanager
def train_elsewhere(run: Run):
    """Begin a run as another computer would, which sees the folder only."""
    environment = {k: v for k, v in os.environ.items() if k != "SCANVI_HOME"}
    with subprocess.Popen(
        [sys.executable, "-m", "scanvi_core", "train", str(run.root)],
        cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def wait_for(what, seconds=WAIT_S):
    """Wait until `what` returns something true; return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)
    return found


def process_of(rank: int) -> psutil.Process | None:
    """Return the training process of this rank that this program started."""
    for process in psutil.Process().children(recursive=True):
        try:
            if process.environ().get("RANK") == str(rank):
                return process
        except psutil.Error:
            continue
    return None


def last_run(project: str) -> Run:
    return Run.list(open_project(project))[-1]


def test_two_processes_here_and_one_elsewhere_give_the_same_model(labeled, request_brief, begun):
    ended = jobs.wait(distributed.start_here(workspace(labeled), request_brief, 2), WAIT_S)
    assert (ended.status, ended.error) == (JobStatus.DONE, None)
    ours = last_run(labeled)
    assert results.current(workspace(labeled)).run_id == ours.id and begun == [labeled]
    assert ours.summary["processes"] == 2 and ours.summary["holdout"]["n"] > 20
    assert [record.step for record in ended.records] == [line["step"] for line in ours.records()]
    assert len(ended.records) == 24

    open_project(labeled).update_settings(current_run=None)  # no model to start a map from
    job = distributed.hand_over(workspace(labeled), request_brief, Machines())
    waiting = wait_for(lambda: distributed.waits_for_machine(workspace(labeled)))
    assert {"submit-slurm.sh", "submit-ssh.sh"} < {path.name for path in waiting.iterdir()}
    theirs, labels = last_run(labeled), workspace(labeled).project.db
    labels.rename(labels.with_name("not-there.db"))  # the run holds all that its training needs
    with train_elsewhere(theirs) as process:
        assert process.wait(WAIT_S) == 0
    labels.with_name("not-there.db").rename(labels)
    ended = jobs.wait(job, WAIT_S)
    assert (ended.status, ended.error) == (JobStatus.DONE, None)
    assert results.current(workspace(labeled)).run_id == theirs.id != ours.id
    assert distributed.awaited(workspace(labeled)) is None
    for name in ("z1", "probabilities_scanvi"):
        assert np.abs(ours.array(name) - theirs.array(name)).max() < 1e-4
    losses = [[line["loss"] for line in run.records()] for run in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert cli.main(["train", str(theirs.root)]) == cli.BAD_INPUT  # it is trained


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_process_is_named_and_the_run_goes_on_from_its_checkpoint(labeled, endless):
    job = distributed.start_here(workspace(labeled), endless, 2)
    run = wait_for(lambda: Run.list(open_project(labeled)))[-1]
    wait_for(run.paths.checkpoint.exists)
    process_of(1).kill()
    killed = time.monotonic()
    ended = jobs.wait(job, WAIT_S)
    assert time.monotonic() - killed < 60  # some seconds; machines are noisy
    assert ended.status is JobStatus.FAILED
    assert ended.error[0] == "Process 2 of 2 ended (signal 9). The others were stopped."
    assert status_seen(run).status == runs.INTERRUPTED
    reached = run.records()[-1]["step"]
    assert resume.cut_off(workspace(labeled)).can_go_on

    job = resume.resume(workspace(labeled), run.id)
    wait_for(lambda: run.records()[-1]["step"] > reached + 20)
    jobs.stop(job)
    ended = jobs.wait(job, WAIT_S)
    assert (ended.status, ended.error) == (JobStatus.STOPPED, None)
    steps = [line["step"] for line in run.records()]
    assert steps == sorted(set(steps)) and run.summary["stopped"]
    assert results.current(workspace(labeled)).run_id == run.id


def test_the_end_of_the_program_ends_processes_here_with_a_checkpoint(labeled, endless):
    job = distributed.start_here(workspace(labeled), endless, 2)
    run = wait_for(lambda: Run.list(open_project(labeled)))[-1]
    wait_for(run.records)
    jobs.shutdown(WAIT_S)
    assert jobs.snapshot(job).status.final
    assert process_of(0) is None
    assert run.paths.checkpoint.exists() and run.status.status == runs.INTERRUPTED
    assert "asked to end" in run.status.message


def test_a_run_elsewhere_outlives_the_program_and_is_followed_again(labeled, endless):
    job = distributed.hand_over(workspace(labeled), endless, Machines())
    wait_for(lambda: distributed.waits_for_machine(workspace(labeled)))
    run = last_run(labeled)
    with train_elsewhere(run) as process:
        wait_for(run.records)
        jobs.shutdown(WAIT_S)
        assert jobs.snapshot(job).status.final and process.poll() is None
        assert cli.main(["train", str(run.root)]) == cli.BAD_INPUT  # it is being trained
        distributed.follow_again(workspace(labeled))
        (again,) = jobs.active(labeled, train_request.TRAIN)
        distributed.follow_again(workspace(labeled))  # once is enough
        wait_for(lambda: jobs.snapshot(again.id).status is JobStatus.RUNNING)
        jobs.stop(again.id)
        assert jobs.wait(again.id, WAIT_S).error is None
        assert process.wait(WAIT_S) == 0
    assert run.summary["stopped"] and results.current(workspace(labeled)).run_id == run.id


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_a_computer_taken_away_leaves_a_run_that_goes_on_here(labeled, request_brief):
    slow = replace(request_brief, train=replace(request_brief.train, max_epochs=80))
    job = distributed.hand_over(workspace(labeled), slow, Machines())
    wait_for(lambda: distributed.waits_for_machine(workspace(labeled)))
    run = last_run(labeled)
    with train_elsewhere(run) as process:
        wait_for(run.records)
        process.send_signal(signal.SIGINT)  # SIGTERM: the test before
        assert process.wait(WAIT_S) == 0
        assert "goes on from its last checkpoint" in process.stderr.read()
    ended = jobs.wait(job, WAIT_S)
    assert ended.status is JobStatus.FAILED and "asked to end" in ended.error[0]
    assert run.paths.checkpoint.exists()
    ended = jobs.wait(resume.resume(workspace(labeled), run.id), WAIT_S)
    assert (ended.status, ended.error) == (JobStatus.DONE, None)
    assert run.records()[-1]["epoch"] == 80


def test_a_run_that_nobody_began_is_given_up_with_a_click(labeled, request_brief):
    job = distributed.hand_over(workspace(labeled), request_brief, Machines())
    wait_for(lambda: distributed.waits_for_machine(workspace(labeled)))
    jobs.stop(job)
    assert jobs.wait(job, WAIT_S).status is JobStatus.STOPPED
    assert (
        distributed.awaited(workspace(labeled)) is None
        and resume.cut_off(workspace(labeled)) is None
    )
    assert cli.main(["train", str(last_run(labeled).root)]) == cli.BAD_INPUT


def test_several_processes_have_layer_norm(labeled, request_brief):
    several = distributed.with_layer_norm(workspace(labeled), request_brief)
    assert several.model.use_layer_norm and not request_brief.model.use_layer_norm
    with pytest.raises(SettingInvalid, match="1 processes"):
        distributed.start_here(workspace(labeled), request_brief, 1)


def test_what_is_no_prepared_run_is_refused(labeled, tmp_path, train_now, request_brief, capsys):
    assert cli.main(["train", str(tmp_path)]) == cli.BAD_INPUT
    assert "not the folder of a training run" in capsys.readouterr().err
    run = Run.create(open_project(labeled), settings())
    assert cli.main(["train", str(run.root)]) == cli.BAD_INPUT
    assert "begun for training in the app" in capsys.readouterr().err


def test_a_run_on_another_computer_lives_as_long_as_it_shows_signs_of_life(project):
    run = Run.create(open_project(project), settings())
    run.set_status(runs.RUNNING)
    status = run.status._replace(process="another-computer 12:34.00")
    run.paths.status.write_text(json.dumps(status._asdict()))
    assert status_seen(run).status == runs.INTERRUPTED
    with heartbeat.signs_of_life(run.paths):
        alive = run.paths.alive
        wait_for(alive.exists)
        assert status_seen(run).status == runs.RUNNING
        long_ago = time.time() - 2 * SILENT_S
        os.utime(alive, (long_ago, long_ago))
        assert status_seen(run).status == runs.INTERRUPTED
    assert not alive.exists()
