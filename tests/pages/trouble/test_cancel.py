"""What takes long can be canceled where its bar is: opening a file, training, an update."""

import threading
from dataclasses import replace

import pytest

from scanvi_core.project.folder import create_project, list_projects
from scanvi_core.services import jobs
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.projects import open_file
from scanvi_core.services.runs.train_request import TRAIN
from scanvi_core.services.training import start
from scanvi_core.services.workspace import workspace
from tests.pages.test_screens import buttons, everything, sound, texts
from tests.projects import BRIEF

WAIT_S = 120


@pytest.fixture
def held(example):
    """A project whose file is only handed over when told."""
    go_on = threading.Event()

    def fetch(_):
        go_on.wait(WAIT_S)
        return example

    project = create_project("Held")
    job = open_file.submit_import(project, fetch)
    yield project.id, job, go_on
    go_on.set()


def test_an_opening_is_canceled_and_begun_again_on_the_page(held, visit):
    project, job, go_on = held
    app = sound(visit("open", project))
    app.button(key=f"cancel-{job}").click().run()
    assert jobs.snapshot(job).stopping
    app = sound(visit("check", project))  # every page shows the bar
    assert app.button(key=f"cancel-{job}").disabled
    go_on.set()
    assert jobs.wait(job, WAIT_S).status is JobStatus.STOPPED
    app = sound(visit("open", project))
    assert any("Opening was stopped" in text for text in texts(app))
    assert "Open cells.h5ad again" in [label.replace("\\", "") for label in buttons(app)]
    app.button(key="open-again").click().run()
    again = jobs.wait(jobs.list_jobs(project)[-1].id, WAIT_S)
    assert again.id != job and again.status is JobStatus.DONE
    assert any("is open" in text for text in texts(sound(visit("open", project))))


@pytest.fixture
def endless():
    """Begin a training of so many epochs that it ends when it is told to."""

    def begin(project):
        request = replace(BRIEF, train=replace(BRIEF.train, max_epochs=10_000))
        return start.start(workspace(project), request)

    yield begin
    for project in list_projects():
        for job in jobs.active(project.id, TRAIN):
            jobs.cancel(job.id)
            jobs.wait(job.id, WAIT_S)


@pytest.mark.parametrize("slug", ["review", "explore", "evaluate"])
def test_a_first_training_can_be_canceled_wherever_its_bar_is(labeled, visit, endless, slug):
    job = endless(labeled)
    app = sound(visit(slug, labeled))
    app.button(key=f"cancel-{job}").click().run()
    assert jobs.wait(job, WAIT_S).status is JobStatus.STOPPED
    assert workspace(labeled).current_run() is None
    app = sound(visit("train", labeled))
    assert any(
        "The training was canceled. Nothing of it was kept." in text for text in everything(app)
    )


def test_an_update_of_the_review_can_be_canceled_and_the_model_stays(trained, visit, endless):
    before = workspace(trained).current_run().id
    job = endless(trained)
    app = sound(visit("review", trained))
    app.button(key=f"cancel-{job}").click().run()
    assert jobs.wait(job, WAIT_S).status is JobStatus.STOPPED
    assert workspace(trained).current_run().id == before
    for slug in ("review", "train"):
        app = sound(visit(slug, trained))
        assert any("Model 1 stays in use" in text for text in everything(app))
        assert not any("is ready" in text for text in texts(app))


def test_during_a_first_training_evaluate_leads_to_train_not_to_export(labeled, visit, endless):
    job = endless(labeled)
    app = sound(visit("evaluate", labeled))
    primary = [item.key for item in app.button if item.proto.type == "primary"]
    assert primary == ["next-train"]
    jobs.cancel(job)
