"""The Evaluate and Labels pages on a project with a model, which is at hand here."""

import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from scanvi_core.services.diagnostics import (
    baselines,
    confidence_worth,
    holdout_report,
    measured_batches,
)
from scanvi_core.services.export import filling
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.runs import model_list
from scanvi_core.services.workspace import workspace
from tests import ROOT

HOSTILE = "<img src=x> **bold** `code` $x$"


@pytest.fixture
def visit(monkeypatch):
    """Open a page of a project: ``visit("evaluate", project)``."""
    monkeypatch.chdir(ROOT)

    def open_page(slug, project):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.query_params["project"] = project
        app.run()
        return sound(app.switch_page(f"pages/screens/{slug}.py").run())

    return open_page


def sound(app):
    assert not app.exception and not app.error, [*app.exception, *app.error]
    return app


def texts(app):
    """Return every text in which Streamlit reads markdown, as written and as read."""
    kinds = (app.markdown, app.caption, app.header, app.warning)
    written = [str(item.value) for kind in kinds for item in kind]
    written += [str(cell) for table in app.table for cell in table.value.to_numpy().ravel()]
    return written, [re.sub(r"\\(.)", r"\1", text) for text in written]


def test_the_page_says_what_the_services_say_the_headline_first(trained, visit):
    opened = workspace(trained)
    app = visit("evaluate", trained)
    report, quick = (
        holdout_report.report(workspace(trained)),
        baselines.baselines(workspace(trained)),
    )
    _, read = texts(app)
    assert app.header[0].value.replace("\\", "") == report.headline
    for sentence in (confidence_worth.sentence(opened, filling.level_told(opened)), report.accept):
        assert f"**{sentence}**" in read
    for sentence in (report.reading, report.honesty, report.calibration, *report.notes):
        assert any(sentence in text for text in read)
    loud = [warning.value.replace("\\", "") for warning in app.warning]
    assert loud == ([quick.sentence] if quick.beaten else [])
    assert quick.sentence in read


def test_it_says_where_nothing_was_measured_and_leads_to_the_check_of_it(half_measured, visit):
    opened = workspace(half_measured)
    names = opened.batches(opened.batch_key).names
    app = visit("evaluate", half_measured)
    said = measured_batches.sentence(opened)
    assert said in [warning.value.replace("\\", "") for warning in app.warning]
    batches = next(t.value for t in app.dataframe if list(t.value.columns)[:1] == ["batch"])
    assert set(batches["batch"]) == set(names)
    badges = " ".join(str(element.value) for element in app.markdown).replace("\\", "")
    assert f"right in {names[0]}" in badges
    button = app.button(key="check-the-rest")
    assert button.label.startswith("Check 40 cells of ")
    app = sound(button.click().run())
    assert "A cell drawn at random" in " ".join(str(each.value) for each in app.markdown)
    export = visit("export", half_measured)
    assert said in [warning.value.replace("\\", "") for warning in export.warning]
    assert export.button(key="check-the-rest")


def test_names_are_shown_and_never_interpreted(labeled, train_now, request_brief, visit):
    edit.rename(workspace(labeled), "Dendritic", HOSTILE)
    train_now(labeled, request_brief)
    edit.name_cells(
        workspace(labeled),
        np.flatnonzero(workspace(labeled).labels().codes < 0)[:5],
        f"{HOSTILE}!",
        "lasso",
    )
    train_now(labeled, request_brief)
    written, read = texts(visit("evaluate", labeled))
    assert any(f"new type {HOSTILE}!" in text for text in read)
    assert not any(HOSTILE in text for text in written)


def test_two_models_can_be_compared(trained, train_now, request_brief, visit):
    assert not visit("evaluate", trained).selectbox
    train_now(trained, request_brief)
    app = visit("evaluate", trained)
    assert app.selectbox(key="compare-with").value == 1
    assert model_list.models(workspace(trained)).comparison(workspace(trained), 1) in texts(app)[1]


def test_donors_are_set_aside_on_the_labels_page(labeled, visit):
    app = visit("labels", labeled)
    sound(app.radio(key="holdout-how").set_value("Whole donors or samples").run())
    assert app.button(key="set-aside").disabled
    sound(app.multiselect(key="holdout-values").set_value(["batch 3"]).run())
    sound(app.button(key="set-aside").click().run())
    own = (workspace(labeled).dataset.obs["batch"] == "batch 3").to_numpy()
    assert (workspace(labeled).labels().holdout == own).all()
    assert holdout.how_now(workspace(labeled)) == holdout.HIDDEN
    assert any("whose counts stay in training" in text for text in texts(app)[0])
    sound(app.checkbox(key="holdout-out").check().run())
    sound(app.button(key="set-aside").click().run())
    assert holdout.how_now(workspace(labeled)) == holdout.GROUP


def test_without_held_out_cells_the_page_says_so_and_leads_on(
    labeled, train_now, request_brief, visit
):
    holdout.set_aside(workspace(labeled), HoldoutRequest(holdout.NONE))
    train_now(labeled, request_brief)
    app = visit("evaluate", labeled)
    assert any("would flatter" in text for text in texts(app)[0])
    assert "Set labels aside" in [button.label for button in app.button]


def test_where_batches_are_not_measured_the_check_comes_before_the_export(half_measured, visit):
    for screen in ("evaluate", "export"):
        app = visit(screen, half_measured)
        assert not app.exception
        primary = [button for button in app.button if button.proto.type == "primary"]
        assert [button.key for button in primary] == ["check-the-rest"]
        assert primary[0].label.startswith("Check 40 cells of")
