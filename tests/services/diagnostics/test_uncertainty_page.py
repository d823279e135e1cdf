"""What Explore, Export and Evaluate show of doubt, on a project with a model."""

import pytest

from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import baselines, uncertainty
from scanvi_core.services.explore import colors
from scanvi_core.services.labels import holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.workspace import workspace
from tests.services.diagnostics.test_holdout_page import sound, texts, visit
from tests.services.diagnostics.test_uncertainty import look, swapped, swapped_folder

__all__ = ["swapped", "swapped_folder", "visit"]  # fixtures

WAIT_S = 120.0


@pytest.fixture(autouse=True)
def no_job_left():
    yield
    assert jobs.shutdown(WAIT_S), "a test left a job running"


def test_explore_says_that_nobody_has_looked_and_begins(trained, visit):
    app = visit("explore", trained)
    assert any("not looked at yet" in text for text in texts(app)[1])
    assert colors.REASON not in colors.color_options(workspace(trained))
    app.button(key="look").click().run()
    assert (
        jobs.wait(uncertainty.latest(workspace(trained)).id, WAIT_S).status is jobs.JobStatus.DONE
    )
    app = visit("explore", trained)
    assert not any("not looked at yet" in text for text in texts(app)[1])
    assert colors.REASON in colors.color_options(workspace(trained))


def test_explore_counts_the_cells_per_reason_and_explains_them(trained, visit):
    look(trained)
    app = visit("explore", trained)
    counts = uncertainty.counts(workspace(trained))
    line = next(text for text in texts(app)[1] if "without a label:" in text)
    assert f"{sum(counts.values())} cells" in line
    assert f"{counts['ambiguous']} ambiguous, {counts['novel']} novel" in line
    steps = uncertainty.NEXT_STEPS[1:]
    assert not any(steps[0] in text for text in texts(app)[1])
    sound(app.selectbox(key="explore.color").set_value(colors.REASON).run())
    for step in steps:
        assert any(step in text for text in texts(app)[1])


@pytest.mark.parametrize("what", [colors.REASON, colors.NOVELTY, colors.DOUBLET])
def test_cells_are_colored_by_doubt(trained, what):
    found = look(trained)
    coloring = colors.coloring(workspace(trained), what)
    if what == colors.REASON:
        assert (coloring.codes == found.reason).all() and len(set(coloring.places)) == 4
    else:
        own = found.novelty if what == colors.NOVELTY else found.doublet_score
        assert (coloring.values == own).all()


def test_ticked_labels_are_kept_or_changed(swapped, visit):
    project, _ = swapped
    app = visit("explore", project)
    first, second, *rest = uncertainty.label_issues(workspace(project))
    assert app.button(key="issues-keep").disabled
    _tick(app, project)
    sound(app.button(key="issues-change").click().run())
    state = workspace(project).labels()
    assert state.names[state.codes[first.row]] == first.suggestion
    _tick(app, project)
    sound(app.button(key="issues-keep").click().run())
    state = workspace(project).labels()
    assert state.names[state.codes[second.row]] == second.given
    assert uncertainty.label_issues(workspace(project)) == tuple(rest)


def _tick(app, project):
    """Tick the first row of the list, as the browser would."""
    seq = workspace(project).labels().seq
    app.session_state[f"issues-{seq}"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    sound(app.run())


def test_without_a_hold_out_the_linear_models_are_told_all_the_same(
    labeled, train_now, request_brief, visit
):
    holdout.set_aside(workspace(labeled), HoldoutRequest(holdout.NONE))
    train_now(labeled, request_brief)
    told = texts(visit("evaluate", labeled))[1]
    assert baselines.cross_validated(workspace(labeled)) in told
    assert any("No labels were set aside" in text for text in told)


def test_export_offers_broader_types_only_where_there_are_some(trained, swapped, visit):
    app = visit("export", trained)
    assert "export-broader" not in [toggle.key for toggle in app.toggle]
    assert "export-sets" in [toggle.key for toggle in app.toggle]
    project, _ = swapped
    app = visit("export", project)
    sound(app.toggle(key="export-broader").set_value(True).run())
    assert "predicted broader types" in app.dataframe[0].value["source"].to_numpy()
