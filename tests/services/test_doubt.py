"""Doubt, label errors and prediction sets of a trained project, through the real services."""

import numpy as np
import pytest

from scanvi_core.annotation import novelty, reasons, technical
from scanvi_core.config import LOW_CONFIDENCE
from scanvi_core.project.runs import Run
from scanvi_core.services import doubt, doubt_job, jobs, labelling, results
from scanvi_core.services.annotate import ForegroundJob
from scanvi_core.services.workspace import workspace

WAIT_S = 120.0


@pytest.fixture(autouse=True)
def no_job_left():
    yield
    assert jobs.shutdown(WAIT_S), "a test left a job running"


def run_of(project):
    return workspace(project).current_run()


def look(project):
    job = ForegroundJob(project, lambda *_: None)
    doubt_job.look(project, run_of(project).id, job)
    found = doubt.reasons(project)
    assert found is not None
    return found


def test_nothing_is_claimed_before_a_model_was_looked_at(trained):
    assert doubt.reasons(trained) is None
    assert doubt.counts(trained) is None
    assert doubt.label_issues(trained) == ()
    assert doubt.latest(trained) is None


def test_a_job_looks_at_the_model(trained):
    job = jobs.wait(doubt.start(trained), WAIT_S)
    assert job.status is jobs.JobStatus.DONE, job.error
    assert doubt.latest(trained).id == job.id
    assert doubt.reasons(trained).run_id == run_of(trained).id
