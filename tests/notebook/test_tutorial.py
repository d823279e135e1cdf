"""The tutorial notebook, cell by cell."""

import json

import pytest

from tests import ROOT

TUTORIAL = ROOT / "docs" / "notebook.ipynb"


@pytest.mark.slow
def test_the_tutorial_runs_and_says_what_is_true():
    cells = json.loads(TUTORIAL.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict[str, object] = {}
    try:
        for source in code:
            exec(compile(source, str(TUTORIAL), "exec"), names)
    finally:
        if "session" in names:
            names["session"].close()
    assert len(code) > 5 and names["accuracy"] > 0.7
    assert names["right"][names["hidden"] & names["sure"]].mean() > names["accuracy"]


def test_the_tutorial_is_kept_without_outputs():
    cells = json.loads(TUTORIAL.read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells)
