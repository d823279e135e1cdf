"""Opening a file can be canceled where its bar is, and begun again."""

import threading

import pytest

from scanvi_core.project.folder import create_project
from scanvi_core.services import jobs
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.projects import open_file
from tests.pages.test_screens import buttons, sound, texts

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
