"""A pack on a new donor: chosen with the mouse, reviewed and trained on with the keyboard."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import pytest

from scanvi_core import runtime
from scanvi_core.project.runs import DONE, Run
from scanvi_core.services.runs.inputs import inputs_of
from scanvi_core.services.workspace import recent_projects, workspace
from tests import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WAIT_MS = 120_000


@pytest.fixture
def place(tmp_path: Path, example: Path, example_pack: Path) -> Path:
    """A folder with unlabeled cells of a new donor, and a pack."""
    cells = anndata.read_h5ad(example)[::2].copy()
    del cells.obs["cell_type"]
    cells.write_h5ad(tmp_path / "donor.h5ad")
    (tmp_path / "atlas.scanvi-pack.zip").write_bytes(example_pack.read_bytes())
    return tmp_path


def test_a_pack_names_a_new_donor_and_the_review_goes_on_from_it(
    page: Any, start_app: Callable[..., str], place: Path
) -> None:
    names = (runtime.HOME_VARIABLE, runtime.DATA_ROOT_VARIABLE)
    url = start_app(
        ROOT / "app.py",
        env=dict(zip(names, (str(place / "home"), str(place)), strict=True)),
    )
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    box = page.get_by_role("textbox", name="Path of a file or folder")
    box.fill("donor.h5ad")
    box.press("Enter")
    page.get_by_role("button", name="Go on to Labels").click()
    page.get_by_role("radio", name="A pack").click()
    page.locator("input[type=file]").set_input_files(place / "atlas.scanvi-pack.zip")
    page.get_by_text("genes are here (100%)").wait_for()
    page.get_by_role("button", name="Name all cells by this pack").click()
    page.get_by_text("All cells are named by the pack").wait_for()
    page.get_by_role("button", name="Review the doubtful cells").click()
    page.locator(".st-key-accept button").wait_for()
    page.keyboard.press("a")
    page.get_by_text("1 decision since model 1").wait_for()
    page.keyboard.press("m")
    page.get_by_text("Model 2 is in use").wait_for()
    with runtime.home_at(place / "home"):
        (project,) = recent_projects()
        opened = workspace(project.id)
        first, second = (run for run in Run.list(opened.project) if run.status.status == DONE)
        assert set(second.settings.label_names) == set(first.settings.label_names)
        assert second.settings.warm_from == first.id
        assert set(inputs_of(opened).label_names) == set(first.settings.label_names)
