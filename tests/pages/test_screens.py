"""The pages without a browser: what they show, what they miss, and that no name is interpreted."""

import re

import numpy as np
import pytest

from scanvi_core.services import jobs
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace

PAGES = ("check", "labels", "train", "explore", "review", "evaluate", "export")
HOSTILE = (
    "**bold**",
    "<img src=x onerror=alert(1)>",
    "![a](http://b/c.png)",
    "`code` $x$ :smile:",
)


def texts(app):
    """Return every markdown text on the page, captions included."""
    return [str(item.value) for kind in (app.markdown, app.caption) for item in kind]


def everything(app):
    """Return every text of the page in which Streamlit reads markdown."""
    kinds = (app.title, app.header, app.subheader, app.error, app.warning, app.info, app.success)
    values = [str(item.value) for kind in kinds for item in kind]
    return [*texts(app), *values, *(str(button.label) for button in app.button)]


def buttons(app):
    return [button.label for button in app.button]


def sound(app):
    assert not app.exception, app.exception
    assert not any("Something went wrong" in error.value for error in app.error)
    return app


def test_the_first_page_offers_three_ways_in(visit):
    app = sound(visit())
    assert app.title[0].value == "Name the cells of a single-cell data set"
    assert {"Open the example", "Open the file"} <= set(buttons(app))


@pytest.mark.parametrize("slug", PAGES)
def test_a_page_without_a_project_says_what_is_missing_and_leads_there(visit, slug):
    app = sound(visit(slug))
    assert "**Open a data set first.**" in texts(app)
    assert buttons(app) == ["Go to Open"]
    app.button[0].click().run()
    assert app.title[0].value == "Name the cells of a single-cell data set"


@pytest.mark.parametrize(
    ("slug", "sentence", "way"),
    [
        ("train", "Label some cells first: at least two types.", "Go to Labels"),
        (
            "review",
            "There is no model yet. Name a few groups of similar cells to begin.",
            "Find groups of similar cells",
        ),
        ("evaluate", "There is no model to evaluate yet.", "Go to Train"),
        (
            "export",
            "There is nothing to export yet: name some cells or train a model.",
            "Go to Labels",
        ),
    ],
)
def test_a_page_that_comes_too_early_says_what_it_needs(visit, project, slug, sentence, way):
    app = sound(visit(slug, project))
    assert f"**{sentence}**" in texts(app)
    assert way in buttons(app)


def test_the_project_of_the_address_is_adopted_and_its_strip_is_on_top(visit, project):
    app = sound(visit("check", project))
    assert "**Cells**" in texts(app)
    assert "700 cells × 765 genes" in texts(app)
    assert app.title[0].value == "Check data"


@pytest.mark.parametrize("slug", PAGES)
def test_every_page_draws_for_a_labeled_project(visit, project, slug):
    edit.use_column(workspace(project), "cell_type", set())
    app = sound(visit(slug, project))
    assert any("Labels: cell\\_type" in text for text in texts(app))
    assert len(app.title) == 1


def test_check_shows_the_counts_and_the_batches(visit, project):
    app = sound(visit("check", project))
    assert any(text.startswith("The model reads **X**") for text in texts(app))
    assert [metric.value for metric in app.metric][:2] == ["700", "765"]
    assert app.selectbox(key="batch-key").value == "batch"


def test_another_batch_column_is_kept(visit, project):
    app = visit("check", project)
    app.selectbox(key="batch-key").select("louvain").run()
    sound(app)
    assert workspace(project).project.settings["batch_key"] == "louvain"


def test_labels_are_taken_from_the_column_with_one_click(visit, project):
    app = sound(visit("labels", project))
    assert app.selectbox(key="labels-key").value == "cell_type"
    app.button(key="use-labels").click().run()
    sound(app)
    assert (workspace(project).labels().codes >= 0).sum() == 280
    assert "Types" in [item.value for item in app.header]
    assert "Go on to Train" in buttons(app)


def test_undo_on_the_labels_page_takes_the_last_step_back(visit, project):
    edit.use_column(workspace(project), "cell_type", set())
    edit.name_cells(workspace(project), np.array([3]), "Mine", "lasso")
    app = visit("labels", project)
    app.button(key="undo").click().run()
    sound(app)
    assert "Mine" not in workspace(project).labels().active


def test_train_says_what_it_would_use(visit, project):
    edit.use_column(workspace(project), "cell_type", set())
    app = sound(visit("train", project))
    assert any("700 cells, 765 genes, 10 types" in text for text in texts(app))
    assert not app.button(key="train").disabled


def test_the_first_step_without_labels_is_said_and_the_one_primary_button(visit, project):
    edit.start_empty(workspace(project))
    app = sound(visit("labels", project))
    primary = [item for item in app.button if item.proto.type == "primary"]
    assert [item.key for item in primary if not item.disabled] == ["base-map"]
    assert any("show where to begin" in text for text in texts(app))


def test_settings_of_the_model_are_under_advanced(visit, project):
    edit.use_column(workspace(project), "cell_type", set())
    app = sound(visit("train", project))
    (advanced,) = (item for item in app.expander if item.label == "Advanced")
    keys = {"model.dispersion", "model.gene_likelihood"}
    assert keys <= {item.key for item in advanced.selectbox}


def test_train_with_one_type_says_so_and_offers_no_start(visit, project):
    edit.start_empty(workspace(project))
    edit.name_cells(workspace(project), np.arange(30), "B", "lasso")
    app = sound(visit("train", project))
    assert "Only one label has cells" in app.error[0].value
    assert app.button(key="train").disabled


def test_train_draws_with_broader_labels(visit, project):
    edit.use_column(workspace(project), "cell_type", set())
    edit.set_parents(
        workspace(project), dict.fromkeys(("CD8+ Cytotoxic T", "CD4+/CD25 T Reg"), ("T",))
    )
    edit.name_cells(workspace(project), np.arange(5), "T", "lasso")
    sound(visit("train", project))


def test_a_bad_path_is_answered_with_a_message_and_a_hint(visit, tmp_path):
    app = visit()
    app.text_input(key="path").set_value("no/such.h5ad")
    _open_button(app).click().run()
    sound(app)
    message, hint = app.error[0].value.split("\n\n")
    assert "There is no file" in message and hint


def test_a_file_that_is_no_data_ends_in_a_sentence_on_open(visit, tmp_path):
    (tmp_path / "table.h5ad").write_text("cell,gene\n")
    app = visit()
    app.text_input(key="path").set_value("table.h5ad")
    _open_button(app).click().run()
    project = app.query_params["project"]
    project = project[0] if isinstance(project, list) else project
    jobs.wait(jobs.list_jobs(project)[0].id, 60)
    app.run()
    sound(app)
    assert any("a text file" in error.value for error in app.error)
    later = sound(visit("labels", project))
    assert "**This data set could not be opened.**" in texts(later)


def _open_button(app):
    return next(button for button in app.button if button.label == "Open the file")


@pytest.mark.parametrize("slug", ["open", "labels"])
@pytest.mark.parametrize("address", ["nonsense", "AAAAAAAAAAAAAAAA", "../../etc"])
def test_a_project_that_is_not_there_is_no_crash(visit, slug, address):
    app = sound(visit(slug, address))
    assert "Open the example" in buttons(app) or "Go to Open" in buttons(app)


def _unescaped(hostile, text):
    """Tell whether a text holds a name as it is, so that markdown would read it."""
    return hostile in re.sub(r"\\.", "\0", text)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("slug", ["open", "check", "labels", "train", "explore", "export"])
def test_names_from_files_are_shown_and_never_interpreted(visit, project, slug, name):
    opened = workspace(project)
    edit.use_column(workspace(project), "cell_type", set())
    edit.rename(workspace(project), "Dendritic", name)
    edit.name_cells(workspace(project), np.array([0, 1]), f"rare {name}", f"lasso {name}")
    opened.project.update_settings(name=name, labels_key=name)
    app = sound(visit(slug, project))
    assert any(re.escape(name[:2]).strip("\\") in text for text in everything(app))
    for text in everything(app):
        assert name not in text, text
        assert not _unescaped(name, text), text
