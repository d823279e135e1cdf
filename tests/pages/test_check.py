"""The Check page: what the intake found, and limits that preview before anything is done."""

import json

import pytest

from scanvi_core.services.quality import chosen_limits, preview
from scanvi_core.services.quality.chosen_limits import Choice
from scanvi_core.services.workspace import workspace
from tests.pages.test_screens import sound, texts


def batches_of(project):
    opened = workspace(project)
    return opened.batches(opened.batch_key)


def slider(app, words):
    return next(item for item in app.slider if words in item.label)


def keys_of(app):
    return {button.key for button in app.button}


def said(app):
    return next(text for text in texts(app) if "A flag is a note for you" in text)


@pytest.fixture
def manifest(project):
    """Rewrite what the intake found."""

    def change(**changes):
        path = workspace(project).dataset.folder / "manifest.json"
        found = json.loads(path.read_text()) | changes
        path.write_text(json.dumps(found))
        workspace(project).dataset.manifest.update(changes)

    return change


def test_every_matrix_is_shown_with_what_it_holds_and_why(visit, project):
    app = sound(visit("check", project))
    table = app.dataframe[0].value
    assert list(table) == ["matrix", "holds", "values", "whole numbers", "why"]
    assert table.iloc[0].tolist()[:4] == ["X", "counts", "0 to 259", "100.0 %"]


def test_another_matrix_with_counts_or_from_which_they_can_be_recovered_is_offered(
    visit, project, manifest
):
    counts = workspace(project).dataset.manifest["matrices"][0]
    others = {"raw.X": "counts", "layers/logs": "log-normalized", "layers/z": "scaled"}
    more = [
        counts | {"name": name, "verdict": verdict, "recoverable": name == "layers/logs"}
        for name, verdict in others.items()
    ]
    manifest(matrices=[counts, *more])
    app = sound(visit("check", project))
    assert len(app.dataframe[0].value) == 4
    assert app.selectbox(key="matrix").options == ["raw.X", "layers/logs"]


def test_recovered_counts_come_with_their_proof(visit, project, manifest):
    text = "Counts recovered from X: base e; exact for 700 cells; largest error 4e-04."
    manifest(recovery={"text": text}, repairs=[text, "Something else"])
    app = sound(visit("check", project))
    shown = texts(app)
    assert any(item.endswith("Exact for 700 cells") for item in shown)
    assert "Counts recovered" in app.header[0].value
    assert sum("Counts recovered" in item for item in shown) == 1, "told twice"
    assert any("Something else" in item for item in shown)


def test_every_repair_is_listed_warnings_first_and_the_rest_behind_a_click(
    visit, project, manifest
):
    repairs = [f"Repair number {i}" for i in range(8)]
    manifest(repairs=[*repairs, {"sentence": "With its number", "n": 3}], warnings=["Look out"])
    app = sound(visit("check", project))
    shown = [text for text in texts(app) if ":material/build:" in text or "warning" in text]
    assert "Look out" in shown[0]
    assert sum("Repair number" in text for text in shown) == 8
    assert any("With its number" in text for text in shown)
    assert "5 more" in [item.label for item in app.expander]


def test_moving_a_slider_previews_and_saves_nothing(visit, project):
    app = sound(visit("check", project))
    assert "0 cells of 700 are flagged" in said(app)
    assert "quality-use" not in keys_of(app)
    slider(app, "fewer counts").set_value(500).run()
    sound(app)
    n = preview.view(workspace(project), Choice().with_limit("totals", 500)).n_flagged
    assert f"{n} cells of 700 would be flagged" in said(app)
    assert chosen_limits.saved(workspace(project), workspace(project).batch_key) == Choice()


def test_limits_are_put_in_force_with_one_click_and_taken_back_with_another(visit, project):
    app = visit("check", project)
    slider(app, "fewer genes").set_value(200).run()
    app.button(key="quality-use").click().run()
    sound(app)
    n = preview.view(
        workspace(project), chosen_limits.saved(workspace(project), workspace(project).batch_key)
    ).n_flagged
    assert n > 0 and f"{n} cells of 700 are flagged" in said(app)
    app.button(key="quality-suggested").click().run()
    assert chosen_limits.saved(workspace(project), workspace(project).batch_key) == Choice()
    assert "0 cells of 700 are flagged" in said(sound(app))
    assert slider(app, "fewer genes").value < 100


def test_changes_can_be_forgotten(visit, project):
    app = visit("check", project)
    before = slider(app, "larger share").value
    slider(app, "larger share").set_value(0.5).run()
    app.button(key="quality-forget").click().run()
    assert slider(sound(app), "larger share").value == before
    assert not {"quality-use", "quality-forget"} & keys_of(app)


def test_a_batch_has_its_own_limit(visit, project):
    app = visit("check", project)
    names = batches_of(project).names
    app.selectbox(key="quality-batch").select(1).run()
    slider(app, "fewer counts").set_value(400).run()
    app.button(key="quality-use").click().run()
    sound(app)
    assert chosen_limits.saved(workspace(project), workspace(project).batch_key).limits[
        "totals"
    ].own == {names[1]: 400.0}


def test_another_batch_column_begins_with_its_own_limits(visit, project):
    app = visit("check", project)
    slider(app, "fewer genes").set_value(200).run()
    app.selectbox(key="batch-key").select("louvain").run()
    sound(app)
    assert slider(app, "fewer genes").value < 100
    assert "quality-use" not in keys_of(app)
    app.selectbox(key="batch-key").select("batch").run()  # what was tried out is still there
    assert slider(sound(app), "fewer genes").value == 200
    assert "quality-use" in keys_of(app)


def test_leaving_flagged_cells_out_is_a_choice_that_can_be_taken_back(visit, project):
    app = visit("check", project)
    app.checkbox(key="quality-leave").check().run()
    assert chosen_limits.saved(workspace(project), workspace(project).batch_key).leave_out
    sound(app).checkbox(key="quality-leave").uncheck().run()
    assert not chosen_limits.saved(workspace(project), workspace(project).batch_key).leave_out


def test_without_mitochondrial_genes_the_page_says_so(visit, project, manifest):
    manifest(n_mt_genes=0)
    app = sound(visit("check", project))
    assert any("No mitochondrial genes" in text for text in texts(app))
    assert not any("larger share" in item.label for item in app.slider)
