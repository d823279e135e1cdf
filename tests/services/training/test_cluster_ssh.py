"""The ssh script trains on another computer, and the app sees it as if it were here."""

import json
import os
import shutil
import signal

import pytest

from tests.services.training import far_away
from tests.services.training.far_away import ID, begin, calls, finish, status, wait_for, written

RSYNC = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
FLOCK = pytest.mark.skipif(shutil.which("flock") is None, reason="flock is part of Linux only")


@pytest.fixture
def project(tmp_path):
    return far_away.make_project(tmp_path)


@pytest.fixture
def environment(tmp_path):
    with far_away.make_environment(tmp_path) as found:
        yield found


def there(tmp_path):
    return tmp_path / "there" / "scanvi" / "projects" / ID


@RSYNC
@FLOCK
def test_ssh_takes_the_cells_there_and_brings_the_results_back(project, tmp_path, environment):
    run = written(project, tmp_path, earlier=(project / "runs" / "0001",))
    assert "Done" in finish(begin(run, "submit-ssh.sh", environment, "me@there"))
    assert status(run) == "done"
    assert (run / "model" / "weights").read_text() == "of dataset"
    assert (run / "metrics.jsonl").read_text() == "1\n2\n3\n" and (run / "map").exists()
    far = there(tmp_path)
    assert calls(run) == [
        [None, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4",
         "-m", "scanvi_core", "train", str(far / "runs" / "0003")],
    ]  # fmt: skip
    assert (far / "runs" / "0001" / "cells").exists() and not (far / "source").exists()
    assert not list(tmp_path.glob("scanvi.*"))
    # Once it is done, starting again brings the results and trains nothing.
    shutil.rmtree(run / "model")
    finish(begin(run, "submit-ssh.sh", environment, "me@there"))
    assert (run / "model" / "weights").exists() and len(calls(run)) == 1


@RSYNC
@FLOCK
def test_ssh_shows_the_curves_and_forwards_the_stop(project, tmp_path, environment):
    run = written(project, tmp_path)
    (run / "mode").write_text("long")
    job = begin(run, "submit-ssh.sh", environment, "there")
    wait_for(lambda: (run / "metrics.jsonl").exists() and status(run) != "waiting")
    assert status(run) == "running" and not (run / "model").exists()
    wait_for((run / "alive").exists)  # by the clock of this computer
    (run / "stop").touch()
    while job.poll() is None:  # what the app reads is never ahead of itself, nor silent
        said = status(run)
        assert said != "done" or (run / "model" / "weights").exists()
        assert said != "running" or (run / "alive").exists() or status(run) == "done"
    finish(job)
    assert status(run) == "done" and (run / "model" / "weights").exists()
    assert not (run / "alive").exists()


@RSYNC
@FLOCK
def test_ssh_can_be_left_and_taken_up_while_it_trains_and_after_it_died(
    project, tmp_path, environment
):
    run, far = written(project, tmp_path), there(tmp_path) / "runs" / "0003"
    (run / "mode").write_text("long")
    job = begin(run, "submit-ssh.sh", environment, "there")
    wait_for(
        lambda: (run / "metrics.jsonl").exists() and (far / "checkpoint.safetensors").exists()
    )
    job.send_signal(signal.SIGINT)
    assert "goes on" in finish(job, 130)
    again = begin(run, "submit-ssh.sh", environment, "there")
    assert "Training on there" in again.stdout.readline()
    (tmp_path / "offline").touch()  # the line breaks; sooner or later it is back
    wait_for(lambda: "trying again" in again.stdout.readline())
    (tmp_path / "offline").unlink()
    steps = int((far / "checkpoint.safetensors").read_text())
    os.kill(int((far / "pid").read_text()), signal.SIGKILL)
    assert "broke off (ended 137)" in finish(again, 1)
    assert len(calls(far)) == 1, "following starts nothing"
    (far / "mode").write_text("")
    finish(begin(run, "submit-ssh.sh", environment, "there"))
    assert len(calls(run)) == 2 and status(run) == "done"
    assert int((run / "metrics.jsonl").read_text().split()[-1]) >= steps


@FLOCK
def test_ssh_copies_nothing_on_a_shared_disk(project, tmp_path, environment):
    run = written(project, tmp_path, seen_at=str(project))
    finish(begin(run, "submit-ssh.sh", environment, "there"))
    assert status(run) == "done"
    assert calls(run)[0][-1] == str(run)
    assert not list((tmp_path / "there").iterdir())


def test_ssh_asks_for_a_computer(project, tmp_path, environment):
    run = written(project, tmp_path)
    assert "YOU@COMPUTER" in finish(begin(run, "submit-ssh.sh", environment), 2)


@RSYNC
@FLOCK
@pytest.mark.parametrize(
    ("choice", "lacks", "told"),
    [
        ({"python": "/not/here/python"}, None, "There is no such Python."),
        ({}, "lacks", "does not have this program"),
        ({}, "old", "This program has version 0.0.1 there"),
        ({}, "offline", "cannot be reached by ssh"),
    ],
)
def test_ssh_says_before_it_copies_what_is_missing(
    project, tmp_path, environment, choice, lacks, told
):
    run = written(project, tmp_path, **choice)
    if lacks:
        (tmp_path / lacks).touch()
    assert told in finish(begin(run, "submit-ssh.sh", environment, "there"), 2)
    assert not list((tmp_path / "there").iterdir())
    assert status(run) == "waiting"


@RSYNC
@FLOCK
def test_ssh_tells_the_app_of_a_training_that_did_not_begin(project, tmp_path, environment):
    run = written(project, tmp_path)
    (run / "mode").write_text("fail")
    assert "broke off" in finish(begin(run, "submit-ssh.sh", environment, "there"), 1)
    seen = json.loads((run / "status").read_text())
    assert seen["status"] == "interrupted"
    assert "did not begin (ended 1)" in seen["message"]
