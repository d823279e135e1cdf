"""The report in a browser without a network: no console message, no request, nothing cut off."""

from pathlib import Path
from typing import Any

import pytest

from scanvi_core import runtime
from scanvi_core.services.labels import edit
from scanvi_core.services.report.page import write_report
from scanvi_core.services.workspace import workspace
from tests.projects import copy_of

pytestmark = pytest.mark.browser
LONG = "x" * 150
HOSTILE = "<script>document.title='broken'</script><img src=http://127.0.0.1:9/x.png>"


@pytest.fixture
def report(trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "home"))
    opened = workspace(copy_of(trained_folder))
    edit.rename(opened, "CD19+ B", HOSTILE)
    edit.rename(opened, "CD34+", LONG)
    target = tmp_path / "report.html"
    write_report(opened, target)
    return target


def test_a_report_opens_offline_asks_for_nothing_and_prints(browser: Any, report: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert page.title() == "Cells: annotation report"
    assert said == []
    assert asked == [report.as_uri()]
    for width in (1280, 700):
        page.set_viewport_size({"width": width, "height": 720})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("figure svg").count() == 6
    assert page.get_by_text(HOSTILE, exact=True).count() >= 2
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    context.close()
