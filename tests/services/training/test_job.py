"""The job of a training: what it reports, how it is stopped, canceled or fails."""

from dataclasses import replace

import numpy as np
import pytest

from scanvi_core.config import LOW_CONFIDENCE
from scanvi_core.errors import JobRefused
from scanvi_core.project import runs
from scanvi_core.project.runs import Run
from scanvi_core.services import jobs
from scanvi_core.services.explore import maps
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.runs import results, train_request
from scanvi_core.services.training import in_process, resume, start
from scanvi_core.services.workspace import workspace

WAIT_S = 300.0  # machines are busy with other tests


@pytest.fixture(autouse=True)
def no_job_left():
    yield
    assert jobs.shutdown(WAIT_S), "a test left a job running"


def _no_memory(*_arguments, **_more):
    raise MemoryError


def test_a_job_reports_epochs_and_ends_with_the_run(labeled, request_brief):
    job = jobs.wait(start.start(workspace(labeled), request_brief), WAIT_S)
    assert job.status is JobStatus.DONE
    assert sorted({record.epoch for record in job.records}) == list(range(1, 9))
    assert job.result == workspace(labeled).current_run().id
    assert job.fraction == 1.0


def test_stopping_keeps_the_best_and_ends_as_a_usable_run(labeled, request_brief):
    long = replace(request_brief, train=replace(request_brief.train, max_epochs=5_000))
    job_id = start.start(workspace(labeled), long)
    seen = jobs.snapshot(job_id)
    while not seen.records and not seen.status.final:
        seen = jobs.wait(job_id, WAIT_S, newer_than=seen.version)
    jobs.stop(job_id)
    job = jobs.wait(job_id, WAIT_S)
    assert job.status.final and job.error is None
    assert len(job.records) < 1_000
    found = results.current(workspace(labeled))
    assert found.summary["stopped"] is True
    assert found.summary["epochs"] == job.records[-1].epoch
    assert np.isfinite(found.probabilities).all()
    assert workspace(labeled).current_run().status.status == runs.DONE


def test_a_failed_job_says_why_keeps_the_model_before_and_can_be_repeated(trained, request_brief):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scanvi_core.annotation.model.annotator.fit", _no_memory)
        job = jobs.wait(start.start(workspace(trained), request_brief), WAIT_S)
    assert job.status is JobStatus.FAILED
    assert job.error[0] == "The machine ran out of memory."
    assert Run.list(workspace(trained).project)[-1].status.status == runs.FAILED
    assert workspace(trained).current_run().id == "0001"
    assert (
        jobs.wait(start.start(workspace(trained), request_brief), WAIT_S).status is JobStatus.DONE
    )
    assert workspace(trained).current_run().id == "0003"
    assert results.current(workspace(trained)).summary["number"] == 2


def test_a_second_training_of_a_project_is_refused(labeled, request_brief):
    long = replace(request_brief, train=replace(request_brief.train, max_epochs=5_000))
    job_id = start.start(workspace(labeled), long)
    with pytest.raises(JobRefused):
        start.start(workspace(labeled), request_brief)
    jobs.stop(job_id)
    assert jobs.wait(job_id, WAIT_S).status.final


def test_an_update_is_in_use_on_the_earlier_maps_until_its_own_are_drawn(
    trained, train_now, request_brief, monkeypatch
):
    before = results.current(workspace(trained))
    kept = np.array(before.run.array("umap_z1"))
    seen = []

    def drawn(z, *, init, strata, keep, **_):
        now = results.current(workspace(trained))
        seen.append(now.run_id)
        if len(seen) == 1:
            assert np.array_equal(now.run.array("umap_z1"), kept)
        assert np.array_equal(init, before.run.array(("umap_z1", "umap_z2")[len(seen) - 1]))
        assert (strata >= 0).all() and keep.sum() == (now.confidence < LOW_CONFIDENCE).sum()
        return np.asarray(init) + 1

    monkeypatch.setattr("scanvi_core.annotation.layout.embedding.umap_of", drawn)
    earlier = maps.map_revision(workspace(trained), "z1")
    run_id = train_now(trained, request_brief)
    assert seen == [run_id, run_id]
    assert np.array_equal(results.current(workspace(trained)).run.array("umap_z1"), kept + 1)
    assert maps.map_revision(workspace(trained), "z1") != earlier


def test_canceling_leaves_the_model_before_and_no_run_to_go_on_with(trained, request_brief):
    before = workspace(trained).current_run().id
    long = replace(request_brief, train=replace(request_brief.train, max_epochs=5_000))
    job_id = start.start(workspace(trained), long)
    seen = jobs.snapshot(job_id)
    while not seen.records and not seen.status.final:
        seen = jobs.wait(job_id, WAIT_S, newer_than=seen.version)
    jobs.cancel(job_id)
    job = jobs.wait(job_id, WAIT_S)
    assert (job.status, job.error, job.result) == (JobStatus.STOPPED, None, None)
    run = Run.list(workspace(trained).project)[-1]
    assert run.status.status == runs.STOPPED and not run.paths.checkpoint.exists()
    assert workspace(trained).current_run().id == before != run.id
    assert resume.cut_off(workspace(trained)) is None


def test_a_model_already_in_use_is_not_taken_away_by_canceling(
    trained, request_brief, monkeypatch
):
    real = in_process.take_up

    def take_up_and_cancel(opened, run):
        real(opened, run)
        (job,) = jobs.active(trained, train_request.TRAIN)
        jobs.cancel(job.id)

    monkeypatch.setattr(in_process, "take_up", take_up_and_cancel)
    job = jobs.wait(start.start(workspace(trained), request_brief), WAIT_S)
    assert job.result == workspace(trained).current_run().id == "0002"
