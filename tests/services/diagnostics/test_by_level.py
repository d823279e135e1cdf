import numpy as np
import pytest

from scanvi_core.config import LOW_CONFIDENCE
from scanvi_core.services.diagnostics import by_level, holdout_report
from scanvi_core.services.diagnostics.held_out import held_out
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


@pytest.fixture
def with_levels(labeled, train_now, request_brief):
    """A model whose T cells have types, with held-out cells that are only called T cell."""
    opened = workspace(labeled)
    expert = opened.dataset.obs["expert_label"].astype(str).to_numpy()
    names = [name for name in opened.labels().active if name.startswith(("CD4+", "CD8+"))]
    edit.set_parents(opened, dict.fromkeys(names, ("T cell",)))
    broad = np.flatnonzero((opened.labels().codes < 0) & np.isin(expert, names))[:60]
    edit.name_cells(opened, broad, "T cell", "lasso")
    holdout.set_aside(opened, HoldoutRequest(fraction=0.4))
    train_now(labeled, request_brief)
    return labeled, set(names)


def test_a_broad_label_set_aside_is_judged_at_its_level_and_no_unknown_type(with_levels):
    opened, names = workspace(with_levels[0]), with_levels[1]
    cells = held_out(opened, opened.current_run().id)
    assert cells.broad_rows.size > 5 and not cells.unseen_types
    assert not np.intersect1d(cells.rows, cells.broad_rows).size
    report = by_level.report(opened)
    n_fine = cells.rows.size
    assert report.depths["cells"].tolist()[0] == n_fine + cells.broad_rows.size
    found = results.current(opened)
    is_t = np.array([name in names for name in found.names])
    right = (found.prediction[cells.rows] == cells.truth) | (
        is_t[cells.truth] & is_t[found.prediction[cells.rows]]
    )
    n_right = right.sum() + is_t[found.prediction[cells.broad_rows]].sum()
    share = n_right / (n_fine + cells.broad_rows.size)
    assert report.depths["right"][0].startswith(f"{share:.0%}".replace("%", " %"))
    assert not any("never shown" in note for note in holdout_report.report(opened).notes)
    assert any("only a broader type" in note for note in holdout_report.report(opened).notes)


def test_the_answers_by_level_are_all_held_out_cells_and_sure(with_levels):
    opened = workspace(with_levels[0])
    cells, report = held_out(opened, opened.current_run().id), by_level.report(opened)
    assert report.answers["cells"].sum() == cells.rows.size + cells.broad_rows.size
    sure = report.answers[report.answers["answer"] != "nothing is sure"]
    assert (sure["confidence"].astype(float) >= LOW_CONFIDENCE).all()


def test_at_the_broad_level_never_fewer_are_right(with_levels):
    curve = by_level.report(workspace(with_levels[0])).curve
    last = curve.groupby("level")["right"].last()
    assert last["level 1"] >= last["types"]


def test_without_levels_there_is_nothing_to_say(trained):
    assert by_level.report(workspace(trained)) is None
