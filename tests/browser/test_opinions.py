"""Two columns of other tools on a file without labels: offered, mapped, and named by one key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.project.folder import list_projects
from scanvi_core.services.opinions import kept, reliability
from scanvi_core.services.workspace import Workspace, workspace
from tests import ROOT

SHOTS = ROOT / "screenshots"
N_DECISIONS = 6
OTHER_NAMES = {"Dendritic": "DC", "CD19+ B": "B cells", "CD56+ NK": "NK cells"}

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def place(tmp_path: Path, example: Path) -> Path:
    """A folder with a home and the example's cells, without labels but with what two tools say."""
    folder = tmp_path / "place"
    folder.mkdir()
    cells, random = anndata.read_h5ad(example), np.random.default_rng(0)
    truth = cells.obs["expert_label"].astype(str).to_numpy()
    said = [np.where(random.random(len(truth)) < wrong, random.permutation(truth), truth)
            for wrong in (0.1, 0.25)]  # fmt: skip
    cells.obs = cells.obs[["batch"]].copy()
    cells.obs["predicted_labels"] = [OTHER_NAMES.get(name, name) for name in said[0]]
    cells.obs["conf_score"] = random.random(len(truth))
    cells.obs["predicted.celltype.l2"] = said[1]
    cells.obs["predicted.celltype.l2.score"] = random.random(len(truth))
    cells.write_h5ad(folder / "two.h5ad")
    return folder


def test_a_file_without_labels_is_named_by_what_two_tools_say(
    page: Any, start_app: Callable[..., str], place: Path
) -> None:
    SHOTS.mkdir(exist_ok=True)
    names = (runtime.HOME_VARIABLE, runtime.DATA_ROOT_VARIABLE)
    url = start_app(
        ROOT / "app.py", env=dict(zip(names, (str(place / "home"), str(place)), strict=True))
    )
    page.goto(url)
    box = page.get_by_role("textbox", name="Path of a file or folder")
    box.fill("two.h5ad")
    box.press("Enter")
    page.get_by_role("button", name="Go on to Labels").click(timeout=90_000)
    page.get_by_text("This file has opinions of CellTypist and Azimuth.").wait_for()
    page.get_by_role("button", name="Use them as opinions").click()
    page.get_by_role("heading", name="What other tools say").wait_for()
    page.get_by_text("CellTypist (predicted_labels)").click()
    page.get_by_text("Nothing judges it yet").first.wait_for()
    settle(page)
    page.screenshot(path=SHOTS / "opinions-labels.png")
    page.get_by_role("button", name="Start empty and name groups on Review").click()
    page.get_by_role("button", name="Find groups of similar cells").click()
    page.locator(".st-key-review-card").wait_for(timeout=180_000)
    settle(page)
    named = 0
    while (
        named < N_DECISIONS
    ):  # a card of which no two tools and no single one say enough is skipped
        page.locator(".st-key-review-card").wait_for()
        offered = page.locator(".st-key-name-part").count() > 0
        named += offered
        before = page.locator(".st-key-review-card").inner_text()
        page.keyboard.press("a" if offered else "s")
        page.wait_for_function(
            "before => document.querySelector('.st-key-review-card')?.innerText !== before",
            arg=before, timeout=60_000,
        )  # fmt: skip
        settle(page)
    page.screenshot(path=SHOTS / "opinions-review.png")
    with runtime.home_at(place / "home"):
        check(workspace(list_projects()[0].id))


def check(opened: Workspace) -> None:
    """Six decisions by hand, two opinions that they judge, and one name for what both say."""
    first, second = kept.kept(opened)
    assert second.names["Dendritic"] == "DC" == first.names["DC"]
    steps = [event for event in opened.store.events() if event.kind == "assign"]
    assert len(steps) == N_DECISIONS
    tracks = reliability.tracks(opened, first)
    assert sum(track.decisions for track in tracks.values()) == N_DECISIONS


def settle(page: Any) -> None:
    page.wait_for_selector(
        "[data-testid=stApp][data-test-script-state=notRunning]", timeout=90_000
    )
    assert page.locator("[data-testid=stException]").count() == 0
