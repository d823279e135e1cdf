"""Names matched to the Cell Ontology with one hand on the keys, and what the page looks like."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanvi_core import runtime
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.browser.test_accessibility import findings
from tests.projects import copy_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = "<img src=x onerror=alert(1)> **NK** [x](javascript:1) $y$"


@pytest.fixture
def home(imported: Path, tmp_path: Path) -> tuple[Path, str]:
    """A home with a project that has the labels of a column, one with an evil name, and its id."""
    with runtime.home_at(tmp_path):
        project = copy_of(imported)
        edit.use_column(workspace(project), "cell_type", set())
        edit.rename(workspace(project), "CD34+", EVIL)
        return tmp_path, project


def terms_of(home: tuple[Path, str]) -> dict[str, str]:
    with runtime.home_at(home[0]):
        return workspace(home[1]).labels().terms


def test_each_name_takes_a_key(
    page: Any, start_app: Callable[..., str], home: tuple[Path, str]
) -> None:
    url = start_app(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(home[0])})
    page.goto(f"{url}/labels?project={home[1]}")
    page.get_by_role("button", name="Match names to the Cell Ontology").click(timeout=90_000)
    answer = page.locator(".st-key-terms .st-key-term-A button").first
    told = page.locator(".st-key-terms p strong").first
    for key, name in (("e", "CD14+ Monocyte"), ("u", EVIL), ("s", "CD4+/CD25 T Reg"),
                      ("a", "CD4+/CD45RA+/CD25- Naive T")):  # fmt: skip
        told.get_by_text(name, exact=True).wait_for()
        page.keyboard.press(key)
    told.get_by_text("CD4+/CD45RO+ Memory", exact=True).wait_for()
    answer.scroll_into_view_if_needed()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(1000)
        page.screenshot(path=ROOT / "screenshots" / f"terms_{scheme}.png")
        assert not findings(page, scheme)
    assert terms_of(home) == {
        "CD14+ Monocyte": "CL:0001054", "CD19+ B": "CL:0001201", "Dendritic": "CL:0000451",
        EVIL: "unknown", "CD4+/CD45RA+/CD25- Naive T": "CL:0000895",
    }  # fmt: skip
    page.keyboard.press("Control+z")
    told.get_by_text("CD4+/CD45RA+/CD25- Naive T", exact=True).wait_for()
