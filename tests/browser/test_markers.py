"""From a file without labels to named groups by a pasted marker table, with the keyboard."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import pytest

from scanvi_core import runtime
from scanvi_core.services.workspace import workspace
from tests import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TABLE = """type\tgenes
B cell\tCD79A, CD79B, CD19, CD3D-
T cell\tCD3D, CD3E, CD2, CD27
Monocyte\tLYZ, S100A8, S100A9, CD14
Nothing here\tNOGENE1, NOGENE2
"""


@pytest.fixture
def place(tmp_path: Path, example: Path) -> Path:
    """A folder with a home, and with blood cells that nobody named."""
    cells = anndata.read_h5ad(example)
    cells.obs = cells.obs[["batch"]]
    (tmp_path / "data").mkdir()
    cells.write_h5ad(tmp_path / "data" / "blood.h5ad")
    return tmp_path


@pytest.fixture
def url(place: Path, start_app: Callable[..., str]) -> str:
    """The address of an app with this home and this data folder."""
    paths = {
        runtime.HOME_VARIABLE: str(place / "home"),
        runtime.DATA_ROOT_VARIABLE: str(place / "data"),
    }
    return start_app(ROOT / "app.py", env=paths)


def test_a_pasted_table_becomes_an_opinion_and_one_key_names_a_part(
    page: Any, url: str, place: Path
) -> None:
    page.goto(url)
    page.get_by_role("textbox", name="Path of a file or folder").fill("blood.h5ad")
    page.get_by_role("button", name="Open the file").click()
    page.get_by_role("button", name="Go on to Labels").click(timeout=90_000)
    page.get_by_role("radio", name="Marker genes").click()
    page.get_by_text("The types seen in these cells are those of blood").wait_for()
    page.get_by_role("radio", name="Paste").click()
    box = page.get_by_role("textbox", name="Types and their marker genes")
    box.fill(TABLE)
    box.press("Control+Enter")
    page.get_by_text("4 types, of which 3 have two genes or more in these data.").wait_for()
    page.get_by_text("with fewer than two genes here: Nothing here.").wait_for()
    page.get_by_role("button", name="Score the cells").click()
    use = page.get_by_role("button", name="Use as opinion, and name the groups")
    use.click(timeout=120_000)
    page.get_by_text("Are they").wait_for()
    page.get_by_text("Markers (pasted table) says so").wait_for()
    told = page.get_by_role("button", name="Name these").inner_text()
    page.keyboard.press("a")
    page.get_by_text("; 1 type").wait_for()
    labels = _labels(place, page.url)
    (name,) = labels.active
    n = int((labels.codes >= 0).sum())
    assert f"{n:,} cells {name}" in told and n > 20
    assert name in ("B cell", "T cell", "Monocyte")
    page.keyboard.press("Control+z")
    page.get_by_text("; 0 types").wait_for()
    assert not (_labels(place, page.url).codes >= 0).any()


def _labels(place: Path, url: str) -> Any:
    project = url.rpartition("project=")[2]
    with runtime.home_at(place / "home"):
        return workspace(project).labels()
