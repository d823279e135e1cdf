"""The Export page for each use of the file."""

import numpy as np
import pytest

from scanvi_core.export import terms
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import confidence_worth
from scanvi_core.services.export import cap, filling, write
from scanvi_core.services.export.cellxgene import form
from scanvi_core.services.labels import edit
from scanvi_core.services.runs.results import Results
from scanvi_core.services.workspace import workspace

needs_terms = pytest.mark.skipif(not terms.available(), reason="the ontologies are absent")
CELLXGENE, CAP = "cellxgene", "cap"


@pytest.fixture
def labeled(project):
    edit.use_column(workspace(project), "cell_type", set())
    return project


@pytest.fixture
def page(visit, labeled):
    """Open the page for one use."""

    def show(profile):
        app = visit("export", labeled)
        app.button_group(key="export-profile").set_value(profile).run()
        assert not app.exception, app.exception
        return app

    return show


def said(app):
    kinds = (app.markdown, app.caption, app.warning, app.info, app.success)
    return "\n".join(str(item.value) for kind in kinds for item in kind)


@needs_terms
def test_cellxgene_says_its_version_and_what_is_missing_and_waits(page):
    app = page(CELLXGENE)
    assert f"CELLxGENE schema {terms.schema_version()}" in said(app)
    assert "The data set has no title yet" in said(app).replace("\\", "")
    assert app.button(key="export").disabled


@needs_terms
def test_an_answer_is_kept_and_understood_by_name(page, labeled):
    app = page(CELLXGENE)
    box = next(item for item in app.text_input if "tissue_ontology" in str(item.key))
    box.input("Blood").run()
    assert form.draft(workspace(labeled)).chosen["tissue_ontology_term_id"] == {
        "": "UBERON:0000178"
    }
    app.text_input(key="cxg-title").input("My cells").run()
    assert form.draft(workspace(labeled)).title == "My cells"
    assert "no title yet" not in said(app)


def test_without_the_ontologies_the_way_to_get_them_is_said(page, monkeypatch):
    monkeypatch.setattr(terms, "available", lambda: False)
    app = page(CELLXGENE)
    assert "pip install" in said(app) and app.button(key="export").disabled


def test_the_platforms_title_is_kept_and_its_version_said(page, labeled):
    app = page(CAP)
    assert f"schema {cap.SCHEMA_VERSION}" in said(app).replace("\\", "")
    app.text_input(key="cap-title").input("Ours").run()
    assert cap.draft(workspace(labeled)).title == "Ours"
    assert not app.button(key="export").disabled


def test_a_running_export_can_be_stopped(visit, labeled, monkeypatch):
    started = []

    def slow(opened, choice):
        def work(job):
            while not job.should_stop():
                np.random.default_rng(0)
            return ""

        started.append(jobs.submit(jobs.JobRequest(opened.id, write.EXPORT, "test", work)))

    monkeypatch.setattr(write, "start", slow)
    app = visit("export", labeled)
    app.button(key="export").click().run()
    app.button(key="export-cancel").click().run()
    assert jobs.wait(started[0], 20).status is jobs.JobStatus.STOPPED
    app.run()
    assert "was stopped" in said(app)


def test_the_methods_text_is_there(visit, labeled):
    app = visit("export", labeled)
    assert any("Cells were annotated with scanvi-app" in item.value for item in app.code)
    assert workspace(labeled).project.name == "Cells"


def test_by_default_only_predictions_that_are_mostly_right_are_filled_in(visit, trained):
    app = visit("export", trained)
    asked = app.radio(key="export-filling")
    sure = filling.mostly_right(workspace(trained))
    assert asked.value == "sure"
    assert any(text.startswith(f"{sure.n_cells:,} cell") for text in asked.proto.captions)
    table = app.dataframe[0].value.set_index("source")["cells"]
    assert table["predictions"] == sure.n_cells
    app.radio(key="export-filling").set_value("leave").run()
    assert app.dataframe[0].value.set_index("source")["cells"]["predictions"] == 0
    app.radio(key="export-filling").set_value("own").run()
    assert app.slider(key="export-threshold").value == 80
    assert not app.exception


def test_without_calibration_predictions_are_not_filled_in_unasked(visit, trained, monkeypatch):
    monkeypatch.setattr(Results, "is_calibrated", False)
    app = visit("export", trained)
    assert app.radio(key="export-filling").value == "leave"
    assert "nobody can say how many of them are right" in said(app)


def test_evaluate_and_export_say_the_same_of_the_same_level(visit, trained):
    opened = workspace(trained)
    level = filling.mostly_right(opened).threshold
    sentence = confidence_worth.sentence(opened, level)
    asked = visit("export", trained).radio(key="export-filling")
    assert any(sentence in text for text in asked.proto.captions)
    assert sentence in said(visit("evaluate", trained)).replace("\\", "")


def test_cells_unlike_every_labeled_one_are_named_before_they_are_filled_in(
    visit, trained, monkeypatch
):
    from scanvi_core.services.export import filling

    def said(app):
        return [str(warning.value) for warning in app.warning]

    monkeypatch.setattr(filling, "n_novel", lambda *_: 0)
    assert not any("unlike every labeled" in text for text in said(visit("export", trained)))
    monkeypatch.setattr(filling, "n_novel", lambda *_: 40)
    (text,) = [text for text in said(visit("export", trained)) if "unlike" in text]
    assert text.startswith("40 of the ") and "tab Novel" in text
