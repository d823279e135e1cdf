"""A training handed to another computer, followed on the Train page."""

import os
import re
import subprocess
import sys

import pytest

from tests import ROOT

BUSY_MS = 180_000

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_run_is_prepared_begun_elsewhere_and_its_model_shown(page, start_app, tmp_path):
    page.goto(start_app(ROOT / "app.py", env={"SCANVI_HOME": str(tmp_path)}))
    page.get_by_role("button", name="Open the example").click()
    page.get_by_role("button", name="Go on to Labels").click(timeout=60_000)
    page.get_by_role("button", name="Use these labels").click()
    page.get_by_role("button", name="Go on to Train").click()
    page.get_by_text("Quick look").click()
    shoot(page, "train-here")
    page.get_by_text("Here, in several processes").click()
    page.get_by_text("which is that of one up to rounding").wait_for()
    page.get_by_text("On other computers").click()
    page.get_by_text("Folder of the project there").wait_for()
    shoot(page, "train-elsewhere")
    page.get_by_role("button", name="Prepare the training").click()
    page.get_by_text(re.compile("Run 0001 is prepared")).wait_for(timeout=60_000)
    assert page.get_by_role("button", name="Give it up").is_enabled()
    shoot(page, "train-prepared")

    (run,) = tmp_path.glob("projects/*/runs/0001")
    away = {name: value for name, value in os.environ.items() if name != "SCANVI_HOME"}
    with subprocess.Popen(
        [sys.executable, "-m", "scanvi_core", "train", str(run)], cwd=ROOT, env=away
    ) as other:
        page.get_by_text("Map of a sample of cells").wait_for(timeout=BUSY_MS)
        shoot(page, "train-followed")
        page.get_by_text("Model 1 is ready").wait_for(timeout=BUSY_MS)
        shoot(page, "train-came-back")
        assert other.wait(BUSY_MS / 1000) == 0


def shoot(page, name):
    page.wait_for_timeout(700)
    page.screenshot(path=ROOT / "screenshots" / f"{name}.png")
