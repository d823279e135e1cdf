"""Names that are HTML or Markdown are text on every page, run nothing and fetch nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anndata
import numpy as np
import pandas as pd
import pytest

from scanvi_core import runtime
from scanvi_core.config import TrainConfig
from scanvi_core.project.folder import create_project
from scanvi_core.services import jobs
from scanvi_core.services.labels import edit
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs import train_request
from scanvi_core.services.training import start
from scanvi_core.services.workspace import workspace
from tests import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Forward slashes will be:FutureWarning"),  # on purpose
]
IMG = "<img src=http://evil.example/a onerror=window.ran=1>"
PICTURE = "![p](http://evil.example/b.png)"
SCRIPT = "<script>window.ran=1</script>"
TYPES = [IMG, PICTURE, SCRIPT]
INVISIBLE = "\u2060"  # keeps Markdown from making links of addresses
PAGES = ["", "check", "labels", "train", "explore", "review", "evaluate", "export", "history"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one trained project in which every name is hostile, and the project's id."""
    home, rng = tmp_path_factory.mktemp("home"), np.random.default_rng(0)
    kind = np.repeat(np.arange(3), 80)
    counts = rng.poisson(1 + 8 * (np.arange(60) % 3 == kind[:, None]))
    obs = pd.DataFrame({IMG: [TYPES[k] for k in kind], PICTURE: [TYPES[k] for k in kind[::-1]]})
    obs.index = [f"{SCRIPT}{i}" for i in range(len(kind))]
    var = pd.DataFrame(index=[f"{TYPES[i % 3]}{i}" for i in range(60)])
    data = anndata.AnnData(counts.astype(np.float32), obs, var)
    data.obsm["X_umap"] = rng.normal(size=(len(kind), 2)) + kind[:, None]
    source = tmp_path_factory.mktemp("file") / "<img src=x onerror=ran=1> ![](http:evil).h5ad"
    data.write_h5ad(source)
    with runtime.home_at(home):
        project = create_project(f"{IMG} {PICTURE}")
        import_into(project, source)
        edit.use_column(workspace(project.id), IMG, {SCRIPT})
        job = start.start(
            workspace(project.id), train_request.TrainRequest(train=TrainConfig(max_epochs=2))
        )
        assert jobs.wait(job).error is None
    return home, project.id


@pytest.fixture
def watched(browser: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page, and the requests it made to other hosts; a dialog or a script that ran fails."""
    context, foreign = browser.new_context(viewport={"width": 1280, "height": 720}), list[str]()
    context.set_default_timeout(60_000)

    def judge(route: Any) -> None:
        address = route.request.url
        if urlsplit(address).hostname in ("127.0.0.1", "localhost"):
            route.continue_()
        else:
            foreign.append(address)
            route.abort()

    context.route("**/*", judge)
    page = context.new_page()
    page.on("dialog", lambda dialog: foreign.append(f"dialog: {dialog.message}"))
    yield page, foreign
    context.close()


def test_hostile_names_run_nothing_and_fetch_nothing(hostile, watched, start_app) -> None:
    home, project = hostile
    page, foreign = watched
    url = start_app(ROOT / "app.py", env={"SCANVI_HOME": str(home)})
    seen = ""
    for name in PAGES:
        page.goto(f"{url}/{name}?project={project}")
        page.locator("[data-testid=stSidebarNav]").wait_for()
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        if name == "explore":
            seen += _explore(page)
        seen += page.locator("[data-testid=stMain]").inner_text()
        assert page.evaluate("() => window.ran") is None, f"a name ran as a script on '{name}'"
        made = page.locator("[src*=evil], [src=x]")
        assert made.count() == 0, f"a name became a picture on '{name}'"
    assert foreign == []
    seen = seen.replace(INVISIBLE, "")
    for text in (IMG, PICTURE):
        assert text in seen, "the names were never on a page: the test shows nothing"


def _explore(page: Any) -> str:
    """Look at the map by gene and in four panels; return its words."""
    cells = page.locator(".st-key-explore .map[data-ready]")
    cells.wait_for()
    box = cells.locator(".over").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=8)
    words = cells.inner_text()
    page.get_by_text("Four maps", exact=True).click()
    page.locator(".st-key-explore-linked-all .map[data-ready]").nth(2).wait_for()
    return words
