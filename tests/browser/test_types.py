"""Types of two people: compared, merged and put under each other; one is split and folded back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import set_batch_key, workspace
from tests import ROOT
from tests.projects import copy_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

T_CELLS = ("CD4+/CD25 T Reg", "CD8+ Cytotoxic T", "CD8+/CD45RA+ Naive Cytotoxic")
EVIL = "<img src=x onerror=alert(1)> $y$"


@pytest.fixture
def home(imported: Path, tmp_path: Path) -> tuple[Path, str]:
    """A home with a project in which half of the batches have other names, and its id."""
    with runtime.home_at(tmp_path):
        opened = workspace(copy_of(imported))
        edit.use_column(opened, "cell_type", set())
        set_batch_key(opened, "batch")
        truth = opened.dataset.values("cell_type").astype(str).to_numpy()
        second = opened.batches("batch").index % 2 == 1
        for name in (*T_CELLS, "CD19+ B"):
            edit.name_cells(opened, np.flatnonzero(~second & (truth == name)), name, "lasso")
        t_cells = second & np.isin(truth, T_CELLS)
        edit.name_cells(opened, np.flatnonzero(t_cells), "T cell", "lasso")
        edit.name_cells(
            opened, np.flatnonzero(second & (truth == "CD19+ B")), "CD19 B cells", "lasso"
        )
        return tmp_path, opened.id


def test_names_are_harmonized_and_a_type_is_split_and_folded_back(
    page: Any, start_app: Callable[..., str], home: tuple[Path, str]
) -> None:
    url = start_app(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(home[0])})
    page.goto(f"{url}/labels?project={home[1]}")
    page.get_by_text("Names that differ between batches").click(timeout=90_000)
    page.get_by_role("button", name="Compare these names").click()
    page.get_by_role("button", name="Merge 1 name, put 3 names under others").wait_for()
    page.screenshot(path=ROOT / "screenshots" / "vocabularies.png")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Merge 1 name, put 3 names under others").click()
    page.locator(".st-key-vocabularies-do").wait_for(state="detached")
    with runtime.home_at(home[0]):
        state = workspace(home[1]).labels()
        assert "CD19 B cells" not in state.active
        assert state.parents == dict.fromkeys(T_CELLS, ("T cell",))

    page.get_by_text("Change the types").click()
    page.get_by_text("Split", exact=True).click()
    page.get_by_role("combobox", name="Type").first.click()
    page.keyboard.type("Dendritic")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Find its parts").click()
    page.get_by_role("combobox", name="Name of part 1").click()
    page.keyboard.type(EVIL)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Put these below Dendritic").click()
    page.get_by_role("button", name="Fold 1 type back into it").wait_for()
    with runtime.home_at(home[0]):
        state = workspace(home[1]).labels()
        assert state.parents[EVIL] == ("Dendritic",) and state.counts[EVIL] >= 20
        n = state.counts["Dendritic"] + state.counts[EVIL]
    page.screenshot(path=ROOT / "screenshots" / "split.png")
    page.get_by_role("button", name="Fold 1 type back into it").click()
    page.get_by_role("button", name="Yes, make them all Dendritic").click()
    page.get_by_role("button", name="Yes, make them all Dendritic").wait_for(state="detached")
    with runtime.home_at(home[0]):
        state = workspace(home[1]).labels()
        assert EVIL not in state.active and state.counts["Dendritic"] == n
