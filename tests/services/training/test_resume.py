"""A server killed in mid-training: the run is shown as cut off and ends as if nothing happened."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from scanvi_core.project.folder import open_project
from scanvi_core.project.runs import DONE, Run
from scanvi_core.services import jobs
from scanvi_core.services.training import resume
from scanvi_core.services.workspace import workspace
from tests import ROOT

N_KILLS = 40 if os.environ.get("SCANVI_FAULTS") == "all" else 1
WAIT_S = 300.0  # machines are busy with other tests

# A server's training job, with a checkpoint after every record; says how far it is.
SERVER = """
import sys, torch
torch.set_num_threads(1)
from scanvi_core import runtime
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty_job
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training import resume, start
from scanvi_core.services.training.trainer import Trainer
from scanvi_core.services.workspace import workspace
from scanvi_core.train import loop
from scanvi_core.annotation.layout import embedding
runtime.worker_threads = lambda: 1
embedding.umap_of = lambda z, **_: z[:, :2].copy()  # takes longer to compile than all the rest
jobs.Job.watched = False
loop.Timer.due = lambda self: True
uncertainty_job.begin = lambda opened: None  # what comes after a training is not asked here
tell = Trainer.tell
Trainer.tell = lambda self, record: (tell(self, record), print(record.epoch, flush=True))
opened, run = workspace(sys.argv[1]), sys.argv[2]
request = TrainRequest(
    ModelConfig(n_hidden=32, n_latent=8), TrainConfig(max_epochs=12, device="cpu")
)
job = resume.resume(opened, run) if run else start.start(opened, request)
seen = jobs.wait(job)
print(seen.status, seen.error, flush=True)
"""


def serve(project: str, run: str = "", *, kill_at: int | None = None) -> list[str]:
    """Run the job in a process of its own, kill -9 it after epoch `kill_at`; return its words."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, project, run],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        said = []
        for line in server.stdout:
            said.append(line.strip())
            if line.strip() == str(kill_at):
                server.send_signal(signal.SIGKILL)
                break
    return said


def outcome(project: str) -> dict[str, bytes]:
    """Return the weights and all arrays of the last run."""
    run = Run.list(open_project(project))[-1]
    assert run.status.status == DONE
    paths = [*run.root.glob("*.npy"), *run.paths.model.glob("*.safetensors")]
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_training_killed_in_the_middle_resumes_to_the_very_same_weights(labeled):
    folder = open_project(labeled).root
    shutil.copytree(folder, folder.parent / "unbroken00000000")
    assert serve("unbroken00000000")[-1].startswith("done")
    expected = outcome("unbroken00000000")
    same = 0
    for i in range(N_KILLS):
        broken = f"broken{i:010d}"
        shutil.copytree(folder, folder.parent / broken)
        reached = 1 + i % 11
        serve(broken, kill_at=reached)
        run = resume.cut_off(workspace(broken))
        assert run is not None and reached <= run.epoch <= 12 and run.can_go_on
        if N_KILLS > 1 and run.epoch < 9:
            serve(broken, run.run_id, kill_at=run.epoch + 2)  # and once more
        said = serve(broken, run.run_id)
        assert said[-1].startswith("done")
        assert int(said[0]) >= reached  # the epochs before the kill were not learned again
        found = outcome(broken)
        assert len(found) > 6 and found.keys() == expected.keys()
        same += found == expected
        assert resume.cut_off(workspace(broken)) is None
        steps = [line["step"] for line in Run.list(open_project(broken))[-1].records()]
        assert steps == sorted(set(steps)) and len(steps) >= 12
    print(f"kills of a training: {N_KILLS}, resumed to the same bytes: {same}")
    assert same == N_KILLS


@pytest.fixture
def interrupted(labeled, train_now, request_brief, monkeypatch):
    """A run cut off after its fourth epoch, with its checkpoint."""
    flat = "scanvi_core.annotation.layout.embedding.umap_of"
    monkeypatch.setattr(flat, lambda z, **_: z[:, :2].copy())
    monkeypatch.setattr(jobs.Job, "watched", False)
    monkeypatch.setattr("scanvi_core.train.loop.Timer.due", lambda _self: True)

    def cut(_self, record):
        if record.epoch == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("scanvi_core.services.training.in_process.Trainer.tell", cut)
        train_now(labeled, request_brief)
    run = Run.list(open_project(labeled))[-1]
    status = json.loads(run.paths.status.read_text())
    run.paths.status.write_text(json.dumps(status | {"status": "running", "process": ""}))
    return run


def test_a_damaged_checkpoint_is_said_and_the_run_begun_again(labeled, interrupted):
    whole = interrupted.paths.checkpoint.read_bytes()
    interrupted.paths.checkpoint.write_bytes(whole[: len(whole) // 2])
    job = jobs.wait(resume.resume(workspace(labeled), interrupted.id), WAIT_S)
    assert job.result == interrupted.id
    note = interrupted.summary["notes"][0]
    assert "cannot be read" in note and "begun again" in note
    assert not interrupted.paths.checkpoint.exists()


def test_a_run_that_is_left_is_not_offered_again(labeled, interrupted):
    assert resume.cut_off(workspace(labeled)).run_id == interrupted.id
    resume.leave(workspace(labeled), interrupted.id)
    assert resume.cut_off(workspace(labeled)) is None
    assert not interrupted.paths.checkpoint.exists()
