"""The main job in a real browser: from nothing to an annotated file of real cells."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import psutil
import pytest

from scanvi_core import keys
from tests import ROOT

SHOTS = ROOT / "screenshots"
BUSY_S = 180_000  # milliseconds for a training run on a slow machine
DRAWN = """() => [...document.querySelectorAll('[data-testid=stSkeleton]')]
  .every(waiting => !waiting.getClientRects().length)"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Walker:
    """A biologist's hands: clicks, waits until the app is at rest, takes a picture."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url, self.seconds = page, url, dict[str, float]()
        SHOTS.mkdir(exist_ok=True)

    def settle(self) -> None:
        self.page.wait_for_selector(
            "[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000
        )
        assert self.page.get_by_text("Traceback").count() == 0
        assert self.page.locator("[data-testid=stException]").count() == 0

    def click(self, name: str | re.Pattern[str], *, exact: bool = False) -> None:
        self.page.get_by_role("button", name=name, exact=exact).first.click()

    def visit(self, title: str) -> None:
        start = time.monotonic()
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
        self.page.get_by_role("heading", name=title, exact=True).wait_for()
        self.settle()
        self.seconds[f"visit {title}"] = time.monotonic() - start

    def shoot(self, name: str) -> None:
        self.settle()
        self.page.wait_for_function(DRAWN)
        self.page.wait_for_timeout(700)  # charts draw after the script has ended
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def map_of(self, key: str) -> Any:
        return self.page.locator(f".st-key-{key} [data-ready]").first


@pytest.fixture
def walker(page: Any, start_app: Callable[..., str], tmp_path: Path) -> Walker:
    return Walker(page, start_app(ROOT / "app.py", env={"SCANVI_HOME": str(tmp_path)}))


def test_a_biologist_goes_from_nothing_to_an_annotated_file(
    walker: Walker, lasso: Callable[..., None], tmp_path: Path
) -> None:
    page = walker.page
    page.goto(walker.url)
    page.get_by_role("button", name="Open the example").wait_for()
    walker.shoot("1-open")

    start = time.monotonic()
    walker.click("Open the example")
    page.get_by_role("heading", name="Counts found").wait_for(timeout=60_000)
    walker.seconds["example ready"] = time.monotonic() - start
    walker.shoot("2-check")

    walker.click("Go on to Labels")
    page.get_by_role("button", name="Use these labels").wait_for()
    walker.click("Use these labels")
    page.get_by_role("heading", name="Types").wait_for()
    walker.shoot("3-labels")
    walker.click("Go on to Train")

    page.get_by_role("radio", name=re.compile("Quick look")).click()
    walker.settle()
    walker.shoot("4-train")
    start = time.monotonic()
    walker.click("Train", exact=True)
    page.locator(".st-key-loss-curve canvas").wait_for(timeout=60_000)
    walker.seconds["first curve point"] = time.monotonic() - start
    page.locator(".st-key-preview-map [data-ready]").wait_for(timeout=60_000)
    walker.shoot("4-train-running")
    page.reload()
    page.get_by_role("heading", name="Train", exact=True).wait_for()
    page.get_by_text(re.compile(r"Training, epoch|map of|Model 1 is ready")).first.wait_for()
    walker.settle()
    for title in ("Check data", "Labels", "Train"):  # clicks while training runs
        walker.visit(title)
    page.get_by_text(re.compile(r"Model 1 is ready")).first.wait_for(timeout=BUSY_S)
    walker.seconds["quick training"] = time.monotonic() - start
    walker.shoot("4-train-done")

    walker.visit("Explore")
    cells = walker.map_of("explore")
    cells.wait_for()
    walker.shoot("5-explore")
    lasso(cells, (0.5, 0.5), 0.3)
    naming = page.get_by_role("button", name=re.compile(r"Name [\d,]+ cells?$"))
    naming.wait_for()
    page.wait_for_function(
        "() => /Name [1-9]/.test(document.querySelector('.st-key-name-cells')?.innerText)"
    )
    picked = int(re.sub(r"\D", "", naming.inner_text()))
    box = page.locator(".st-key-picked-name input")
    box.fill("Lassoed type")
    box.press("Enter")
    walker.settle()
    walker.shoot("5-explore-lasso")
    naming.click()
    page.get_by_text(f"assign Lassoed type to {picked} cells").first.wait_for()
    walker.settle()
    walker.click("Undo")
    page.get_by_role("button", name=re.compile("^Redo")).first.wait_for()

    walker.visit("Review")
    page.locator(".st-key-accept button").wait_for()
    walker.shoot("6-review")
    for key in ("a", "2", "u", "a"):
        before = page.locator(".st-key-review-card").inner_text()  # only a decision changes it
        page.keyboard.press(key)
        page.wait_for_function(
            "before => document.querySelector('.st-key-review-card')?.innerText !== before",
            arg=before, timeout=20_000,
        )  # fmt: skip
        walker.settle()
    walker.shoot("6-review-decided")
    start = time.monotonic()
    walker.click("Update the model")
    page.get_by_text(re.compile("Model 2 is in use")).first.wait_for(timeout=BUSY_S)
    walker.seconds["warm retrain"] = time.monotonic() - start
    walker.shoot("6-review-updated")

    walker.visit("Evaluate")
    page.get_by_text(re.compile("has never seen the labels")).first.wait_for()
    walker.shoot("7-evaluate")

    walker.visit("Export")
    walker.shoot("8-export")
    page.get_by_text("Fill in every prediction").click()
    walker.settle()
    walker.click("Write the file")
    link = page.get_by_role("link", name="Download .h5ad")
    link.wait_for(timeout=60_000)
    walker.shoot("8-export-done")
    with page.expect_download() as download:
        link.click()
    target = tmp_path / "out.h5ad"
    download.value.save_as(target)
    check_export(target, tmp_path)
    walker.seconds["peak memory, MB"] = peak_memory_mb(walker.url)
    print({name: round(value, 2) for name, value in walker.seconds.items()})


def peak_memory_mb(url: str) -> float:
    """Return the largest resident memory of the server so far (Linux; 0 elsewhere)."""
    for process in psutil.process_iter(["cmdline"]):
        if f"--server.port={url.rsplit(':', 1)[1]}" in (process.info["cmdline"] or []):
            status = Path(f"/proc/{process.pid}/status")
            found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
            return int(found[1]) / 1000 if found else 0.0
    return 0.0


def check_export(path: Path, home: Path) -> None:
    """The file equals the example in X and in the user's columns, and holds the new labels."""
    (source,) = home.glob("projects/*/source/*.h5ad")
    original, result = anndata.read_h5ad(source), anndata.read_h5ad(path)
    assert (result.X != original.X).nnz == 0
    assert result.X.dtype == original.X.dtype
    for name in original.obs:
        assert result.obs[name].equals(original.obs[name]), name
    given = original.obs["cell_type"].notna().to_numpy()
    curated = result.obs[keys.CURATED].astype(str).to_numpy()
    assert (curated[given] == original.obs["cell_type"].astype(str).to_numpy()[given]).all()
    sources = result.obs[keys.SOURCE].value_counts()
    assert sources[keys.GIVEN] == given.sum()
    assert sources[keys.ACCEPTED] > 0
    assert sources[keys.MANUAL] > 0
    assert sources[keys.PREDICTED] > 100
    assert result.obsm[keys.LATENT_Z1].shape[0] == original.n_obs
    probabilities = result.obsm[keys.PROBABILITIES]
    assert np.allclose(np.asarray(probabilities).sum(axis=1), 1, atol=1e-4)
    expert = result.obs["expert_label"].astype(str).to_numpy()
    hidden = ~given & (result.obs[keys.SOURCE] == keys.PREDICTED).to_numpy()
    assert (curated[hidden] == expert[hidden]).mean() > 0.6
