"""Every figure of the pages is offered as SVG, PDF and PNG, and is drawn only when asked for."""

import pytest
from streamlit.testing.v1 import AppTest

from scanvi_core.export.figures import write
from scanvi_core.services import jobs
from scanvi_core.services.explore import gene_groups, gene_tests
from scanvi_core.services.export import figures
from scanvi_core.services.workspace import workspace


def offered(app):
    """Return the keys of the figures a page offers in all three formats."""
    keys = {key_of(item) for item in app.get("download_button")}
    named = {key.rpartition("-")[0] for key in keys}
    return {key for key in named if {f"{key}-{kind}" for kind in write.FORMATS} <= keys}


def key_of(item):
    """Return the key a download was drawn with; its widget id ends with that."""
    return item.proto.id.split("-", 2)[-1] if item.proto.id else ""


@pytest.fixture
def drawn(monkeypatch):
    """What was drawn meanwhile."""
    asked = []
    monkeypatch.setattr(figures, "figure_file", lambda *given: asked.append(given))
    return asked


def open_genes(app, view):
    app.session_state["explore-tab"] = "Genes"
    app.run()
    app.segmented_control(key="genes-view").set_value(view).run()
    assert not app.exception
    return app


def test_explore_offers_its_map_and_its_four_maps(visit, trained, drawn):
    app = visit("explore", trained)
    assert "explore-map" in offered(app)
    app.segmented_control(key="explore.maps").set_value("Four").run()
    assert not app.exception
    assert "explore-map" in offered(app)
    assert not drawn


def test_evaluate_offers_its_three_figures(visit, trained, drawn):
    assert {"confusion", "reliability", "coverage"} <= offered(visit("evaluate", trained))
    assert not drawn


def test_genes_offer_dots_spread_and_their_tables(visit, labeled, drawn):
    app = open_genes(visit("explore", labeled), "Dot plot")
    app.text_area(key="genes-pasted").set_value("CD3D LYZ")
    next(item for item in app.button if item.label == "Add these genes").click().run()
    assert "genes-dots" in offered(app)
    assert any(key_of(item) == "genes-dots-csv" for item in app.get("download_button"))
    app.segmented_control(key="genes-view").set_value("Spread of one gene").run()
    assert "genes-violin" in offered(app)
    assert not drawn


def test_markers_come_as_a_table_of_all_types(visit, labeled):
    opened = workspace(labeled)
    question = gene_tests.GeneTest(gene_groups.groups(opened, "Label"))
    jobs.wait(gene_tests.start(opened, question), 60)
    app = open_genes(visit("explore", labeled), "Markers of each type")
    assert any(key_of(item) == "markers-csv" for item in app.get("download_button"))


def test_review_offers_the_map_of_its_card(visit, trained):
    assert "review-map" in offered(visit("review", trained))


def test_the_curves_of_a_training_are_offered(trained):
    def page(project):
        from types import SimpleNamespace

        from pages.ui.train import live
        from scanvi_core.services.workspace import workspace

        record = SimpleNamespace(step=1, n_steps=2, n_epochs=2, loss=3.0, train_accuracy=0.5)
        record.validation_accuracy = 0.4
        live.curves(workspace(project), (record, record))

    app = AppTest.from_function(page, args=(trained,)).run()
    assert not app.exception
    assert offered(app) == {"loss-curve", "accuracy-curve"}


def test_export_offers_the_report_with_and_without_names(visit, trained):
    app = visit("export", trained)
    assert any(key_of(item) == "report" for item in app.get("download_button"))
    app.toggle(key="report-people").set_value(False).run()
    assert not app.exception
