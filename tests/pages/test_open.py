"""Opening: by a click too many, from a list of folders, turned, and several files at once."""

import io
import os

import anndata
import numpy as np
import pandas as pd
import pytest

from scanvi_core.errors import FileRefused
from scanvi_core.project.folder import list_projects
from scanvi_core.services import jobs
from scanvi_core.services.labels import edit
from scanvi_core.services.projects import browse, open_file
from scanvi_core.services.projects.joining import several_files
from scanvi_core.services.workspace import exists, workspace
from tests.pages.conftest import said
from tests.pages.test_screens import sound

WAIT_S = 120
GENES = ["ACTB", "GAPDH", "CD3D", "RPL11", *[f"Gene{i}" for i in range(36)]]


@pytest.fixture
def cells(tmp_path):
    """A file of 60 cells and 40 genes."""
    return write(tmp_path / "cells.h5ad")


def write(path, *, turned=False, seed=0):
    counts = np.random.default_rng(seed).poisson(2.0, (60, 40)).astype(np.float32)
    obs = pd.DataFrame({"cell_type": ["B", "T"] * 30}, index=[f"P0_A{i}" for i in range(60)])
    data = anndata.AnnData(counts, obs, pd.DataFrame(index=GENES))
    (data.T.copy() if turned else data).write_h5ad(path)
    return path


def finished(project):
    return jobs.wait(jobs.list_jobs(project)[-1].id, WAIT_S)


def test_enter_and_then_the_button_make_one_project(cells):
    first = open_file.open_path("cells.h5ad")
    assert open_file.open_path(str(cells)) == first  # while it is being opened
    finished(first)
    assert open_file.open_path("cells.h5ad") == first  # and just after
    assert len(list_projects()) == 1


def test_a_project_in_which_something_was_done_is_left_alone(cells):
    first = open_file.open_path("cells.h5ad")
    finished(first)
    edit.use_column(workspace(first), "cell_type", set())
    assert open_file.open_path("cells.h5ad") != first


def test_another_file_of_the_same_name_is_another_project(cells):
    first = open_file.open_path("cells.h5ad")
    finished(first)
    os.utime(cells, ns=(1, 1))
    assert open_file.open_path("cells.h5ad") != first


def test_folders_and_files_are_listed_newest_first_with_size_and_kind(tmp_path, cells):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "matrix.mtx").write_text("%%MatrixMarket\n")
    (tmp_path / "table.csv.gz").write_bytes(b"x" * 2_000)
    (tmp_path / "paper.pdf").write_text("no data")
    (tmp_path / ".hidden.csv").write_text("no data")
    for age, name in enumerate(("table.csv.gz", "run", "cells.h5ad")):
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    found = [item for item in browse.listing() if item.name != "home"]
    assert [item.name for item in found] == ["table.csv.gz", "run", "cells.h5ad"]
    assert [item.kind for item in found] == [
        "table, packed", "matrix with lists of genes and cells", "AnnData",
    ]  # fmt: skip
    assert found[0].size == "2 kB"
    assert found[1].may_open and [item.name for item in browse.listing("run")] == ["matrix.mtx"]
    assert browse.above("run") == [(tmp_path.name, ""), ("run", "run")]


def test_a_file_whose_name_says_something_else_than_its_first_bytes_is_not_called_by_it(
    tmp_path, cells
):
    (tmp_path / "text.h5ad").write_text("gene,cell1,cell2\n" * 200)
    (tmp_path / "page.loom").write_text("<html>not found</html>")
    (tmp_path / "binary.csv").write_bytes(cells.read_bytes())
    (tmp_path / "plain.csv.gz").write_text("gene,cell1\n")
    (tmp_path / "nothing.h5ad").touch()
    (tmp_path / "real.csv").write_text("gene,cell1\n")
    kinds = {item.name: item.kind for item in browse.looked_into(browse.listing())}
    assert {name: kind for name, kind in kinds.items() if name != "home"} == {
        "cells.h5ad": "AnnData",
        "real.csv": "table",
        "nothing.h5ad": "empty",
        "text.h5ad": "named .h5ad, but something else",
        "page.loom": "named .loom, but something else",
        "binary.csv": "named .csv, but something else",
        "plain.csv.gz": "named .csv.gz, but something else",
    }


def test_links_that_lead_out_of_the_data_folder_are_not_listed(tmp_path, monkeypatch):
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    monkeypatch.setenv("SCANVI_DATA_ROOT", str(inside))
    assert browse.listing() == []
    with pytest.raises(FileRefused):
        browse.listing("..")


def test_a_turned_file_is_turned_with_one_click(visit, tmp_path):
    write(tmp_path / "cells.h5ad", turned=True)
    project = open_file.open_path("cells.h5ad")
    finished(project)
    app = sound(visit("open", project))
    assert "seem to be swapped" in app.radio(key="part-orientation").label
    app.button(key="part-go").click().run()  # the likelier way is chosen already
    finished(project)
    dataset = workspace(project).dataset
    assert (dataset.n_obs, dataset.var_names.tolist()) == (60, GENES)
    assert dataset.obs["cell_type"].astype(str).tolist() == ["B", "T"] * 30
    straight = anndata.read_h5ad(write(tmp_path / "straight.h5ad"))
    assert np.array_equal(dataset.counts.toarray(), straight.X)


def test_two_files_of_cells_in_one_upload_are_shown_and_joined(visit, tmp_path, cells):
    files = {"a.h5ad": cells, "b.h5ad": write(tmp_path / "b.h5ad", seed=1)}
    both = [(name, io.BytesIO(path.read_bytes())) for name, path in files.items()]
    assert several_files.hold_cells(both) and not several_files.hold_cells(both[1:])
    project = several_files.open_uploads(both)
    finished(project)
    app = sound(visit("open", project))
    (table,) = (frame.value for frame in app.dataframe if "not in all files" in frame.value)
    assert table["file"].tolist() == ["a", "b"] and table["cells"].tolist() == [60, 60]
    assert app.button(key="parts-join").label == "Join these 2 files"
    app.multiselect(key="parts-references").set_value(["a"]).run()
    app.button(key="parts-join").click().run()
    finished(project)
    assert workspace(project).dataset.n_obs == 120
    edit.use_column(workspace(project), "cell_type", set())
    app = sound(visit("export", project))
    assert app.toggle(key="export-per-file").value
    assert app.button(key="export").label == "Write the files"


def test_a_file_is_added_to_the_open_project(visit, tmp_path, cells):
    project = open_file.open_path("cells.h5ad")
    finished(project)
    edit.use_column(workspace(project), "cell_type", set())
    write(tmp_path / "more.h5ad", seed=1)
    app = sound(visit("open", project))
    app.toggle(key="add-files").set_value(True).run()
    assert "as a new project" in app.info[0].value
    app.text_input(key="path").set_value("more.h5ad")
    app.button(key="FormSubmitter:open-path-Add the file").click().run()
    new = app.session_state["scanvi.project"]
    assert new != project
    finished(new)
    app = sound(visit("open", new))
    assert any("The labels of before come along." in text.value for text in app.markdown)
    app.button(key="parts-join").click().run()
    finished(new)
    opened = workspace(new)
    assert opened.dataset.n_obs == 120
    assert np.flatnonzero(opened.labels().codes >= 0).tolist() == list(range(60))
    for page in ("check", "labels", "train"):
        app = sound(visit(page, new))
        assert "60 cells came with the files you added" in said(app)
        assert "**60 cells** of 120. No model knows these cells yet" in said(app)
    assert app.button(key="train").label  # one trains here


def test_what_is_blue_while_adding_is_what_adds_and_one_can_leave(visit, tmp_path, cells):
    project = open_file.open_path("cells.h5ad")
    finished(project)
    write(tmp_path / "more.h5ad", seed=1)
    app = sound(visit("open", project))
    blue = [button.label for button in app.button if button.proto.type == "primary"]
    assert blue == ["Go on to check the data"]
    app.toggle(key="add-files").set_value(True).run()
    blue = [button.label for button in app.button if button.proto.type == "primary"]
    assert blue == ["Add the file"]
    app.text_input(key="path").set_value("more.h5ad")
    app.button(key="FormSubmitter:open-path-Add the file").click().run()
    new = app.session_state["scanvi.project"]
    finished(new)
    app = sound(visit("open", new))
    assert "They are not exported" in said(app) and "What the model corrects for" in said(app)
    app.button(key="parts-leave").click().run()
    assert sound(app).session_state["scanvi.project"] == project
    assert not exists(new) and exists(project)


def test_a_folder_of_samples_is_one_choice_and_matrices_of_one_sample_are_not(tmp_path, cells):
    for sample in ("s1", "s2"):
        folder = tmp_path / "run" / sample / "outs" / "filtered_feature_bc_matrix"
        folder.mkdir(parents=True)
        (folder / "matrix.mtx.gz").write_bytes(b"")
        (folder.parent / "raw_feature_bc_matrix").mkdir()
    assert browse.samples_in(tmp_path / "run") == [tmp_path / "run" / s for s in ("s1", "s2")]
    assert browse.samples_in(tmp_path / "run" / "s1" / "outs") == []
    assert browse.samples_in(tmp_path / "run" / "s1" / "outs" / folder.name) == []
    files = [tmp_path / "both" / name for name in ("a.h5ad", "b.h5ad")]
    (tmp_path / "both").mkdir()
    for file in files:
        file.write_bytes(cells.read_bytes())
    assert browse.samples_in(tmp_path / "both") == files
    for name in ("SJ001", "gene_ko1"):
        (tmp_path / "others" / name).mkdir(parents=True)
        (tmp_path / "others" / name / "matrix.mtx").write_bytes(b"")
    assert len(browse.samples_in(tmp_path / "others")) == 2
    for name in ("spliced", "unspliced"):  # of one counting by kb-python
        (tmp_path / "kb" / name).mkdir(parents=True)
        (tmp_path / "kb" / name / "matrix.mtx").write_bytes(b"")
    assert browse.samples_in(tmp_path / "kb") == []
    project = several_files.open_paths(["both"])
    finished(project)
    assert several_files.overview(project).files["file"].tolist() == ["a", "b"]


def test_a_folder_of_10x_files_holds_a_sample_for_each_and_none_for_raw_barcodes(tmp_path):
    names = [
        "GSM1_s1_filtered_feature_bc_matrix.h5", "GSM2_s2_filtered_feature_bc_matrix.h5",
        "GSM1_s1_raw_feature_bc_matrix.h5", "s1_molecule_info.h5",
        "raw_feature_bc_matrix.h5", "filtered_feature_bc_matrix.h5",
    ]  # fmt: skip
    (tmp_path / "run").mkdir()
    for name in [*names, "notes.txt"]:
        (tmp_path / "run" / name).write_bytes(b"x")
    assert [path.name for path in browse.samples_in(tmp_path / "run")] == names[:2]


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [("a.rds", b"\x1f\x8b\x08", "R object"), ("a.rds", b"X\n\0\0", "R object"),
     ("a.rds", b"PK\x03\x04", "named .rds, but something else"),
     ("a.h5Seurat", b"\x89HDF\r\n\x1a\n", "h5Seurat")],
)  # fmt: skip
def test_files_of_r_are_listed_by_what_they_hold(tmp_path, name, head, kind):
    (tmp_path / name).write_bytes(head)
    (entry,) = browse.looked_into([entry for entry in browse.listing() if entry.name == name])
    assert entry.kind == kind
