"""Two samples become one project; a reference names a query of another batch."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest

from scanvi_core import keys, runtime
from scanvi_core.services.diagnostics import measured_batches
from scanvi_core.services.workspace import recent_projects, workspace
from tests import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WAIT_MS = 120_000


@pytest.fixture
def place(tmp_path: Path, example: Path) -> Path:
    """Two files of one study: the cells of the second have no labels."""
    cells = anndata.read_h5ad(example)
    del cells.obs["batch"]
    cells[::2].write_h5ad(tmp_path / "reference.h5ad")
    query = cells[1::2].copy()
    del query.obs["cell_type"], query.obs["expert_label"]
    query.write_h5ad(tmp_path / "query.h5ad")
    return tmp_path


@pytest.mark.parametrize("as_reference", [False, True])
def test_two_files_are_joined_trained_and_each_exported(
    page: Any, start_app: Callable[..., str], place: Path, as_reference: bool
) -> None:
    names = (runtime.HOME_VARIABLE, runtime.DATA_ROOT_VARIABLE)
    where = dict(zip(names, (str(place / "home"), str(place)), strict=True))
    page.set_default_timeout(WAIT_MS)
    page.goto(start_app(ROOT / "app.py", env=where))
    files = [place / "reference.h5ad", place / "query.h5ad"]
    page.locator("input[type=file]").first.set_input_files(files)
    page.get_by_role("heading", name="2 files, one project").wait_for()
    chosen = page.locator(".st-key-parts-references")
    chosen.get_by_text("reference", exact=True).wait_for()  # it has labels and the other none
    if not as_reference:
        chosen.locator("input").press("Backspace")
        chosen.get_by_text("reference", exact=True).wait_for(state="detached")
    page.get_by_role("button", name="Join these 2 files").click()
    page.get_by_role("button", name="Go on to Labels").click()
    page.get_by_role("button", name="Use these labels").click()
    page.get_by_role("heading", name="Types").wait_for()
    page.get_by_role("button", name="Go on to Train").click()
    page.get_by_role("radio", name=re.compile("Quick look")).click()
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text(re.compile("Model 1 is ready")).first.wait_for()
    page.get_by_role("link", name="Export").first.click()
    page.get_by_role("button", name=re.compile("Write the file")).click()
    page.get_by_role("link", name=re.compile("Download .*h5ad")).first.wait_for()
    with runtime.home_at(place / "home"):
        (project,) = recent_projects()
        opened = workspace(project.id)
        gap = measured_batches.gap(opened)
        assert gap is not None and gap.missing == ("query",)
        written = sorted(opened.project.root.rglob("*.annotated.h5ad"))
    assert [path.name.partition(".")[0] for path in written] == (
        ["query"] if as_reference else ["query", "reference"]
    )
    told = anndata.read_h5ad(written[0]).obs[keys.CURATED]
    truth = anndata.read_h5ad(place / "reference.h5ad").obs["cell_type"]
    assert set(told.astype(str)) & set(truth.astype(str)) and np.mean(told.notna()) > 0.5
