"""How well new files fit the references, type by type."""

import numpy as np
import pytest

from scanvi_core.project.folder import open_project
from scanvi_core.services.diagnostics import mapping, uncertainty
from scanvi_core.services.projects.joining.joined_files import of_references
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace, workspace


@pytest.fixture
def joined(trained):
    """A trained project as if its last 300 cells came from a reference."""
    opened = workspace(trained)
    n = opened.dataset.n_obs
    sizes = {"new": (n - 300, False), "atlas": (300, True)}
    opened.dataset.manifest["origin"] = {
        "parts": [
            {"name": name, "n_obs": size, "reference": reference, "ending": "", "source": {}}
            for name, (size, reference) in sizes.items()
        ]
    }
    return opened


def test_only_cells_of_new_files_are_counted_and_only_references_teach(joined):
    fit = mapping.mapping(joined)
    assert (fit.new_files, fit.references) == (("new",), ("atlas",))
    predictions = results.current(joined)
    assert of_references(joined).sum() == 300
    names = np.array(predictions.names, dtype=object)[predictions.prediction[:-300]]
    found = dict(zip(fit.types["type"], fit.types["cells"], strict=True))
    assert found == {name: int((names == name).sum()) for name in set(names)}
    y = np.array(predictions.run.array("y"))[-300:]
    taught = dict(zip(fit.types["type"], fit.types["in references"], strict=True))
    assert taught == {name: int((y == predictions.names.index(name)).sum()) for name in taught}
    assert fit.types["alike"].isna().all()  # nobody has looked


def test_likeness_is_what_novelty_leaves(joined, monkeypatch):
    novelty = np.linspace(0, 1, joined.dataset.n_obs)
    checked = type("Checked", (), {"novelty": novelty})()
    monkeypatch.setattr(uncertainty, "reasons", lambda _: checked)
    fit = mapping.mapping(joined).types.set_index("type")
    predictions = results.current(joined)
    first = predictions.names[predictions.prediction[0]]
    own = novelty[:-300][predictions.prediction[:-300] == predictions.prediction[0]]
    assert fit.loc[first, "alike"] == pytest.approx(1 - np.median(own))
    assert fit.loc[first, "novel"] == pytest.approx((own >= 0.5).mean())


def test_without_references_there_is_nothing_to_fit(trained):
    assert mapping.mapping(Workspace.open(open_project(trained))) is None
