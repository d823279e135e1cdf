"""The app without a browser, and projects to open in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from scanvi_core import runtime
from scanvi_core.project.folder import list_projects
from scanvi_core.services import jobs
from scanvi_core.services.labels import edit
from scanvi_core.services.runs.train_request import PACE
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.projects import copy_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for each test; the app finds its pages from the checkout.

    What a Train page began to measure ends with the test: it imports, which the next would see.
    """
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.chdir(ROOT)
    yield tmp_path / "home"
    for project in list_projects():
        for job in jobs.active(project.id, PACE):
            jobs.stop(job.id)
            jobs.wait(job.id, 60)


@pytest.fixture
def project(imported: Path) -> str:
    """A project with the example and no labels."""
    return copy_of(imported)


@pytest.fixture
def labeled(project: str) -> str:
    """A project with the labels of its column."""
    edit.use_column(workspace(project), "cell_type", set())
    return project


@pytest.fixture
def trained(trained_folder: Path) -> str:
    """The same with a model."""
    return copy_of(trained_folder)


def said(app: Any) -> str:
    """Return every text of the page in one."""
    kinds = (app.markdown, app.caption, app.error, app.warning, app.info, app.success)
    return "\n".join(str(item.value) for kind in kinds for item in kind).replace("\\", "")


def tab_of(app: Any) -> str:
    """Return the name of the browser tab, under which its picked cells are kept."""
    return str(app.session_state["scanvi.tab"])


@pytest.fixture
def visit() -> Callable[..., AppTest]:
    """Open a page of the app, as by its address: ``visit("labels", project)``."""

    def open_page(slug: str = "open", project: str | None = None) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
        if project is not None:
            app.query_params["project"] = project
        app.run()
        if slug != "open":
            app.switch_page(f"pages/screens/{slug}.py").run()
        return app

    return open_page
