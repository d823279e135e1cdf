"""What new users do that no test of one part does: browse, click twice, press Enter."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

from scanvi_core import runtime
from scanvi_core.project.folder import create_project, list_projects
from scanvi_core.services.labels import edit, history
from scanvi_core.services.projects.open_file import import_into
from tests import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a home and with data in a folder."""
    folder = tmp_path / "place"
    (folder / "data" / "run 1").mkdir(parents=True)
    counts = np.random.default_rng(0).poisson(2.0, (60, 40)).astype(np.float32)
    obs = pd.DataFrame({"cell_type": ["B", "T"] * 30}, index=[f"cell{i}" for i in range(60)])
    anndata.AnnData(counts, obs).write_h5ad(folder / "data" / "run 1" / "cells.h5ad")
    return folder


@pytest.fixture
def url(place: Path, start_app: Callable[..., str]) -> str:
    """The address of an app with this home and this data folder."""
    names = (runtime.HOME_VARIABLE, runtime.DATA_ROOT_VARIABLE)
    paths = (str(place / "home"), str(place / "data"))
    return start_app(ROOT / "app.py", env=dict(zip(names, paths, strict=True)))


def n_projects(place: Path) -> int:
    with runtime.home_at(place / "home"):
        return len(list_projects())


def test_a_file_found_by_browsing_is_opened_and_a_second_wish_makes_no_second_project(
    page: Any, url: str, place: Path
) -> None:
    page.goto(url)
    page.get_by_role("button", name="Browse…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="run 1").click()
    dialog.get_by_role("button", name="cells.h5ad").click()
    page.get_by_role("heading", name="Check data").wait_for(timeout=90_000)
    assert n_projects(place) == 1
    page.goto(url)
    box = page.get_by_role("textbox", name="Path of a file or folder")
    box.fill("run 1/cells.h5ad")
    button = page.get_by_role("button", name="Open the file").element_handle()
    box.press("Enter")
    button.evaluate("button => button.click()")  # before the page has changed
    page.get_by_role("heading", name="Check data").wait_for(timeout=90_000)
    assert n_projects(place) == 1


def test_the_chosen_step_of_the_history_stays_chosen_when_others_come(
    page: Any, url: str, place: Path
) -> None:
    with runtime.home_at(place / "home"):
        opened = import_into(create_project("Cells"), place / "data" / "run 1" / "cells.h5ad")
        edit.use_column(opened, "cell_type", set())
        edit.name_cells(opened, np.array([3]), "Mine", "lasso")
        history.note(opened, "look again")
    page.goto(f"{url}/history?project={opened.id}")
    page.get_by_test_id("stDataFrame").first.wait_for()
    table = page.get_by_test_id("stDataFrame").first
    box = table.bounding_box()
    assert box["height"] < 35 * 6  # no empty rows below the names of columns and four steps
    page.mouse.click(box["x"] + 15, box["y"] + 35 * 2.5)  # the second row: "Mine"
    page.get_by_text("Step 3:", exact=True).wait_for()
    button = page.get_by_role("button", name="Take back only this")
    assert button.bounding_box()["y"] < 720 - 40  # in sight without scrolling
    button.click()
    page.get_by_text("Step 3 was taken back.").wait_for()
    page.get_by_text("Step 3:", exact=True).wait_for()  # though a row came above it
    page.get_by_role("textbox", name="Find").fill("Mine")
    page.get_by_role("textbox", name="Find").press("Enter")
    page.get_by_text("Step 3:", exact=True).wait_for()
