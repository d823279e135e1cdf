"""Labels: the values that mean "unlabeled", wherever labels come from, and the first map."""

import threading

import anndata
import numpy as np
import pandas as pd
import pytest

from scanvi_core.project.folder import create_project
from scanvi_core.services import jobs
from scanvi_core.services.explore import maps
from scanvi_core.services.jobs import JobRequest, JobStatus
from scanvi_core.services.labels import edit
from scanvi_core.services.labels.names import reference_names
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.workspace import IO_LANE, set_batch_key, workspace
from tests.pages.conftest import said
from tests.pages.test_screens import sound


@pytest.fixture
def table(project, tmp_path):
    """A table of labels for three in four of the cells; every third says Unknown."""
    names = workspace(project).dataset.obs_names
    words = ["B", "T", "Unknown"]
    lines = [f"{name},{words[i % 3]}" for i, name in enumerate(names) if i % 4]
    (tmp_path / "labels.csv").write_text("\n".join(["barcode,type", *lines]) + "\n")


def test_values_chosen_as_unlabeled_bring_no_label_from_a_column(visit, project):
    app = sound(visit("labels", project))
    (question,) = app.multiselect
    assert question.value == []
    question.select("Dendritic").run()
    app.button(key="use-labels").click().run()
    every = set(edit.column_values(workspace(project), "cell_type")["value"])
    assert set(workspace(project).labels().active) == every - {"Dendritic"}


def test_a_file_without_types_starts_empty_and_lists_its_columns(visit, tmp_path):
    cells = write_cells(tmp_path, sex=["male", "female"], phase=["G1", "S", "G2M"])
    project = import_into(create_project("Cells"), cells).id
    app = sound(visit("labels", project))
    assert app.button_group(key="label-source").value == "Start empty"
    assert app.button(key="start-empty").proto.type == "primary"
    assert "do not look like cell types: sex, phase" in said(app)
    app.button_group(key="label-source").set_value("A column of the file").run()
    assert app.button(key="use-labels").proto.type == "secondary"


def write_cells(folder, **columns):
    """Write 60 cells of 40 genes with columns that repeat these values."""
    counts = np.random.default_rng(0).poisson(2.0, (60, 40)).astype(np.float32)
    obs = {name: np.resize(values, 60) for name, values in columns.items()}
    names = [f"cell{i}" for i in range(60)]
    cells = anndata.AnnData(counts, pd.DataFrame(obs, index=names))
    cells.write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


def test_words_that_usually_mean_unlabeled_are_chosen_already_for_a_table(visit, project, table):
    app = sound(visit("labels", project))
    app.button_group(key="label-source").set_value("A table (CSV)").run()
    app.text_input(key="csv-path").input("labels.csv").run()
    (question,) = app.multiselect
    assert question.value == ["Unknown"]
    assert set(sound(app).dataframe[0].value["value"]) == {"B", "T"}
    app.button(key="csv-use").click().run()
    assert set(workspace(project).labels().active) == {"B", "T"}


def test_names_that_only_references_use_are_shown_and_taken_as_what_they_mean(
    visit, project, monkeypatch
):
    lines = pd.DataFrame([("Dendritic", 5, "CD19+ B", "your choice")],
                         columns=["it says", "cells", "means here", "why"])  # fmt: skip
    monkeypatch.setattr(reference_names, "table", lambda *_: lines)
    app = sound(visit("labels", project))
    assert "Names that only the references use" in said(app)
    app.button(key="use-labels").click().run()
    assert "Dendritic" not in workspace(project).labels().active
    sound(app)


@pytest.fixture
def busy():
    """Whatever else the lane of the map would do waits for this test."""
    go_on = threading.Event()
    job = jobs.submit(JobRequest("other", "busy", IO_LANE, lambda _: go_on.wait(60)))
    yield
    go_on.set()
    jobs.wait(job, 60)


def test_the_map_of_the_counts_is_canceled_where_its_bar_is_and_offered_again(
    visit, labeled, busy
):
    app = sound(visit("labels", labeled))
    app.button(key="base-map").click().run()
    (job,) = jobs.active(labeled, maps.MAP)
    app.button(key=f"cancel-{job.id}").click().run()
    assert jobs.snapshot(job.id).status is JobStatus.STOPPED
    app.run()
    assert app.button(key="base-map") is not None
    assert maps.clusters_of(workspace(labeled)) is None


def test_clusters_without_their_map_still_offer_it(visit, labeled):
    """As when the work was canceled between the two; this file brings maps of its own."""
    assert maps.embeddings(workspace(labeled))
    opened = workspace(labeled)
    maps._save(maps._derived(opened, maps.CLUSTERS), np.zeros(700, dtype=np.int32))
    assert sound(visit("labels", labeled)).button(key="base-map") is not None


def test_names_are_matched_to_the_ontology_and_stay_as_they_are(visit, labeled):
    app = sound(visit("labels", labeled))
    assert "3 of 10 names have a term of the Cell Ontology, 7 more may have one." in said(app)
    app.button(key="terms-open").click().run()
    names = workspace(labeled).labels().active
    app.button(key="terms-exact").click().run()
    assert set(workspace(labeled).labels().terms.values()) == {
        "CL:0000451", "CL:0001054", "CL:0001201",
    }  # fmt: skip
    first = sound(app).button(key="term-A").label
    app.button(key="term-skip").click().run()
    assert sound(app).button(key="term-A").label != first
    app.button(key="term-A").click().run()
    app.button(key="term-none").click().run()
    terms = workspace(labeled).labels().terms
    assert len(terms) == 5 and list(terms.values()).count("unknown") == 1
    assert workspace(labeled).labels().active == names
    assert not [button for button in sound(app).button if button.key == "terms-exact"]


def test_a_project_without_types_has_nothing_to_match(visit, project):
    edit.start_empty(workspace(project))
    app = sound(visit("labels", project))
    assert not [button for button in app.button if button.key == "terms-open"]


def test_names_of_different_batches_are_compared_ticked_and_merged(visit, labeled):
    opened = workspace(labeled)
    set_batch_key(opened, "batch")
    assert not [b for b in sound(visit("labels", labeled)).button if b.key == "vocabularies-ask"]
    is_b = (opened.dataset.values("cell_type").astype(str) == "CD19+ B").to_numpy()
    second = opened.batches("batch").index % 2 == 1
    edit.name_cells(opened, np.flatnonzero(is_b & second), "CD19 B cells", "lasso")
    edit.name_cells(opened, np.flatnonzero(is_b & ~second), "CD19+ B", "lasso")
    app = sound(visit("labels", labeled))
    app.button(key="vocabularies-ask").click().run()
    button = sound(app).button(key="vocabularies-do")
    assert button.label == "Merge 1 name" and button.proto.type == "primary"
    button.click().run()
    assert opened.labels().counts["CD19+ B"] == np.count_nonzero(is_b)
    assert "CD19 B cells" not in opened.labels().active
    assert not [b for b in sound(app).button if b.key.startswith("vocabularies-")]
