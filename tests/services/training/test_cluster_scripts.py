"""The files that carry a run elsewhere start what they should, whatever the paths are called."""

import re
import shutil
import signal
import subprocess

import pytest

from scanvi_core.errors import SettingInvalid
from scanvi_core.project import runs
from scanvi_core.project.runs import Run
from scanvi_core.services.training.cluster_scripts import Elsewhere, Machines, submit_files
from scanvi_core.services.training.needs import Needs
from tests.services.training import far_away
from tests.services.training.far_away import begin, calls, finish, status, wait_for, written


@pytest.fixture
def project(tmp_path):
    return far_away.make_project(tmp_path)


@pytest.fixture
def environment(tmp_path):
    with far_away.make_environment(tmp_path) as found:
        yield found


# All ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen_at", [None, "/other $PATH/'it'"])
@pytest.mark.parametrize("gpus", [False, True])
def test_shells_find_nothing_amiss(project, tmp_path, gpus, seen_at):
    run = written(project, tmp_path, gpus=gpus, seen_at=seen_at)
    inner = re.search(r"<<'THERE'\n(.*)^THERE$", (run / "submit-ssh.sh").read_text(), re.S | re.M)
    (run / "inner.sh").write_text(f"#!/usr/bin/env bash\n{inner[1]}")
    for name in ("submit-slurm.sh", "submit-ssh.sh", "inner.sh"):
        subprocess.run(["bash", "-n", str(run / name)], check=True)
        if shutil.which("shellcheck"):
            check = ["shellcheck", "--severity=warning", str(run / name)]
            done = subprocess.run(check, capture_output=True, text=True, check=False)
            assert not done.stdout


def test_texts_leave_no_place_unfilled_and_stay_in_their_lines(project, tmp_path):
    files = submit_files(Elsewhere(project, project / "runs" / "0003", Machines(3, 2, True)))
    for name, text in files.items():
        assert not re.findall("@[A-Z_]+@", text.replace("@RUN@", "")), name
    assert "3 computers with 2 processes, each with a GPU of its own" in files["README.txt"]
    evil = tmp_path / "a\n#SBATCH --wrap=x"
    for text in submit_files(Elsewhere(evil, evil / "1\necho 2")).values():
        comments = [line for line in text.splitlines() if line.startswith("# ")]
        assert not any(line.startswith(("#SBATCH --wrap", "echo 2")) for line in comments)
    slurm = submit_files(Elsewhere(evil, evil / "1\necho 2"))["submit-slurm.sh"]
    head = slurm.split("set -u")[0].splitlines()
    assert all(line.startswith("#") for line in head)
    assert "#SBATCH --wrap=x" not in head


def test_impossible_numbers_and_foreign_runs_are_refused(project, tmp_path):
    with pytest.raises(SettingInvalid, match="0 computers"):
        Machines(nodes=0)
    with pytest.raises(SettingInvalid, match="0 processes"):
        Machines(processes=0)
    with pytest.raises(SettingInvalid, match="not in the project"):
        Elsewhere(project, tmp_path / "0003")


def test_done_is_told_from_what_the_program_writes(project, tmp_path):
    run = Run("0003", written(project, tmp_path))
    run.set_status(runs.DONE)
    pattern = re.search("grep -q '(.*)' status", (run.root / "submit-ssh.sh").read_text())[1]
    assert pattern in run.paths.status.read_text()


# Slurm --------------------------------------------------------------------------------------


def test_slurm_starts_one_torchrun_per_node(project, tmp_path, environment):
    run = written(project, tmp_path, gpus=True)
    assert not finish(begin(run, "submit-slurm.sh", environment)), "all goes to the run's log"
    assert (run / "processes.log").exists()
    assert sorted(node for node, *_ in calls(run)) == ["0", "1"]
    for node, *arguments in calls(run):
        assert arguments == [
            "-m", "torch.distributed.run", f"--rdzv-conf=is_host={int(node == '0')}",
            "--nnodes=2", "--nproc-per-node=4", "--rdzv-id=1234", "--rdzv-backend=c10d",
            "--rdzv-endpoint=node7:29734", "-m", "scanvi_core", "train", str(run),
        ]  # fmt: skip
    head = (run / "submit-slurm.sh").read_text().split("set -u")[0].splitlines()
    for line in ("--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=4", "--requeue"):
        assert f"#SBATCH {line}" in head


def test_slurm_finds_the_run_under_its_path_there(project, tmp_path, environment):
    (tmp_path / "mnt").symlink_to(project)
    run = written(project, tmp_path, seen_at=str(tmp_path / "mnt"))
    finish(begin(run, "submit-slurm.sh", environment))
    assert calls(run)[0][-1] == str(tmp_path / "mnt" / "runs" / "0003")


@pytest.mark.parametrize(
    ("sent", "preempted", "requeued"),
    [
        (signal.SIGUSR1, None, True),  # the time limit is near
        (signal.SIGTERM, None, False),  # somebody canceled the job
        (signal.SIGTERM, "2026-01-01T00:00:00", True),
    ],
)
def test_slurm_puts_back_what_was_not_canceled(
    project, tmp_path, environment, sent, preempted, requeued
):
    run = written(project, tmp_path, nodes=1)
    (run / "mode").write_text("long")
    job = begin(run, "submit-slurm.sh", environment | {"PREEMPTED": preempted or "None"})
    wait_for((run / "checkpoint.safetensors").exists)
    job.send_signal(sent)
    finish(job, 143)
    assert (tmp_path / "requeued").exists() == requeued
    (run / "mode").unlink()
    before = int((run / "checkpoint.safetensors").read_text())
    assert finish(begin(run, "submit-slurm.sh", environment)) == ""
    assert status(run) == "done"
    assert int((run / "checkpoint.safetensors").read_text()) >= before


def test_slurm_goes_back_when_only_the_processes_were_told_to_end(project, tmp_path, environment):
    """With a time of grace, Slurm signals the step and not the script."""
    run = written(project, tmp_path)
    (run / "mode").write_text("fail")
    finish(begin(run, "submit-slurm.sh", environment), 1)
    assert not (tmp_path / "requeued").exists(), "a fault is not tried for ever"
    finish(begin(run, "submit-slurm.sh", environment | {"PREEMPTED": "2026-01-01T00:00"}), 1)
    assert (tmp_path / "requeued").read_text() == "1234\n"


def test_slurm_says_what_is_wrong_before_it_starts(project, tmp_path, environment):
    run = written(project, tmp_path, seen_at="/not/here")
    assert "Is that disk shared" in finish(begin(run, "submit-slurm.sh", environment), 2)
    del environment["SLURM_JOB_ID"]
    assert "start it with  sbatch" in finish(begin(run, "submit-slurm.sh", environment), 2)


@pytest.mark.parametrize(
    ("choice", "lacks", "code", "told"),
    [
        ({"python": "/not/here/python"}, False, 127, "there is no such Python there"),
        ({}, True, 1, "does not have this program"),
    ],
)
def test_slurm_tells_the_app_why_it_did_not_begin(
    project, tmp_path, environment, choice, lacks, code, told
):
    run = written(project, tmp_path, **choice)
    if lacks:
        (tmp_path / "lacks").touch()
    finish(begin(run, "submit-slurm.sh", environment), code)
    seen = runs.status_seen(Run("0003", run))
    assert seen.status == runs.INTERRUPTED
    assert told in seen.message and "processes.log" in seen.message
    assert told in (run / "processes.log").read_text()
    assert not (run / "called.jsonl").exists()


def test_slurm_tells_of_processes_that_ended_before_they_began(project, tmp_path, environment):
    run = written(project, tmp_path)
    (run / "mode").write_text("fail")
    finish(begin(run, "submit-slurm.sh", environment), 1)
    assert "did not begin (status 1)" in runs.status_seen(Run("0003", run)).message


def test_what_a_run_says_itself_is_not_written_over(project, tmp_path, environment):
    run = written(project, tmp_path)
    (run / "mode").write_text("fail")
    Run("0003", run).set_status(runs.FAILED, "Its own words.")
    finish(begin(run, "submit-slurm.sh", environment), 1)
    assert Run("0003", run).status.message == "Its own words."


@pytest.mark.parametrize("script", ["submit-slurm.sh", "submit-ssh.sh"])
def test_lines_that_come_first_come_first(project, tmp_path, environment, script):
    if script == "submit-ssh.sh" and not (shutil.which("rsync") and shutil.which("flock")):
        pytest.skip("rsync or flock is not installed")
    lines = ("echo $NOT_SET >>$HERE/first", f"PATH={tmp_path}/bin/module:$PATH")
    (tmp_path / "bin" / "module").mkdir()
    (tmp_path / "bin" / "module" / "ours").symlink_to(tmp_path / "bin" / "my env" / "python")
    run = written(project, tmp_path, setup=lines, python="ours", interface="ib0")
    finish(begin(run, script, environment, "there"))
    assert status(run) == "done"
    assert (tmp_path / "first").exists()
    assert "export GLOO_SOCKET_IFNAME=ib0 NCCL_SOCKET_IFNAME=ib0" in (run / script).read_text()


@pytest.mark.parametrize(
    "choice", [{"interface": "ib0; rm"}, {"setup": ("module load a\nb",)}, {"setup": ("THERE",)}]
)
def test_lines_and_names_that_cannot_be_are_refused(choice):
    with pytest.raises(SettingInvalid, match=r"no name of a network|cannot be a line"):
        Machines(**choice)


def test_slurm_asks_for_what_is_needed(project):
    run = project / "runs" / "0003"
    asked = submit_files(Elsewhere(project, run, needs=Needs(95, 12)))["submit-slurm.sh"]
    head = asked.split("set -u")[0].splitlines()
    assert "#SBATCH --time=01:35:00" in head and "#SBATCH --mem=12G" in head
