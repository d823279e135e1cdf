"""Opening files, what the frame says, maps and their colors, picked cells."""

import io
from dataclasses import dataclass

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.errors import FileRefused, InputError, ProjectError
from scanvi_core.services import jobs, workspace
from scanvi_core.services.explore import colors, maps, rules, selection
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.labels import edit
from scanvi_core.services.projects import data_report, open_file, status
from scanvi_core.services.runs import results

WAIT_S = 120.0


def opened(project):
    return workspace.workspace(project)


# Paths ----------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "cells.h5ad").write_bytes(b"x")
    (tmp_path / "secret.h5ad").write_bytes(b"x")
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(folder))
    return folder.resolve()


@pytest.mark.parametrize("text", ["sub/cells.h5ad", ' "sub/cells.h5ad" ', "sub/../sub/cells.h5ad"])
def test_a_path_below_the_data_folder_is_taken(root, text):
    assert open_file.allowed_path(text) == root / "sub" / "cells.h5ad"
    assert open_file.allowed_path(str(root / "sub" / "cells.h5ad")).is_file()


@pytest.mark.parametrize("text", ["../secret.h5ad", "/etc/passwd", "~/../../etc/passwd", "/"])
def test_a_path_outside_the_data_folder_is_refused(root, text):
    with pytest.raises(FileRefused, match="outside the data folder") as caught:
        open_file.allowed_path(text)
    assert runtime.DATA_ROOT_VARIABLE in caught.value.hint


def test_a_link_that_leads_out_is_refused(root):
    (root / "link.h5ad").symlink_to(root.parent / "secret.h5ad")
    (root / "folder").symlink_to(root.parent)
    for text in ("link.h5ad", "folder/secret.h5ad"):
        with pytest.raises(FileRefused, match="outside the data folder"):
            open_file.allowed_path(text)


@pytest.mark.parametrize("text", ["none.h5ad", "sub", ""])
def test_what_is_no_file_is_refused(root, text):
    with pytest.raises(FileRefused, match=r"There is no file|No path was given"):
        open_file.allowed_path(text)


@pytest.mark.parametrize("text", ["a\0b", "x" * 5_000, "loop/cells.h5ad", "~nobody-here/x.h5ad"])
def test_what_no_file_can_be_called_is_a_sentence(root, text):
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises(FileRefused) as caught:
        open_file.allowed_path(text)
    assert caught.value.hint


def test_an_upload_keeps_only_the_last_part_of_its_name(home, example):
    content = io.BytesIO(example.read_bytes())
    project = open_file.open_uploads([("../../evil/cells.h5ad", content)])
    (job,) = jobs.list_jobs(project)
    assert jobs.wait(job.id, WAIT_S).status is JobStatus.DONE
    assert opened(project).dataset.n_obs == 700
    assert [path.name for path in opened(project).project.source.iterdir()] == ["cells.h5ad"]


def test_a_bad_upload_fails_with_message_and_hint(home):
    project = open_file.open_uploads([("cells.h5ad", io.BytesIO(b"cell,gene\n"))])
    job = jobs.wait(jobs.list_jobs(project)[0].id, WAIT_S)
    assert job.status is JobStatus.FAILED
    assert "a text file" in job.error[0] and job.error[1]
    assert not workspace.is_ready(project)
    assert status.of(project).name == "cells"
    with pytest.raises(ProjectError):
        opened(project)


def test_another_matrix_cannot_be_taken_once_labels_are_chosen(labeled):
    with pytest.raises(InputError, match="Labels were already chosen"):
        open_file.reimport(labeled, "X")


def test_recent_projects_are_those_with_data(project):
    from scanvi_core.project.folder import create_project

    create_project("empty")
    assert [item.id for item in workspace.recent_projects()] == [project]


# What the frame and the Check page say ----------------------------------------------------------


def test_the_overview_grows_with_the_work(project, train_now, request_brief):
    assert status.of(project).label_set == status.of(project).saved_at == ""
    assert status.pages_done(project) == {"open", "check"}
    edit.use_column(workspace.workspace(project), "cell_type", set())
    now = status.of(project)
    assert (now.n_obs, now.n_vars, now.label_set) == (700, 765, "cell_type")
    assert now.saved_at and not now.model
    train_now(project, request_brief)
    accuracy = results.current(workspace.workspace(project)).summary["holdout"]["accuracy"]
    assert status.of(project).model == f"Model 1: {100 * accuracy:.0f} % right"
    assert status.pages_done(project) == {"open", "check", "labels", "train"}
    assert status.pages_done(None) == set()


def test_the_check_page_shows_the_counts_and_the_batches(labeled):
    report = data_report.report(workspace.workspace(labeled))
    assert (report.n_obs, report.n_vars, report.counts_source) == (700, 765, "X")
    assert report.median_total == np.median(opened(labeled).dataset.totals)
    assert report.batch_key == report.batch_columns[0] == "batch"
    table = data_report.batch_table(workspace.workspace(labeled), "batch").set_index("batch")
    codes, batch = opened(labeled).labels().codes, opened(labeled).dataset.obs["batch"]
    assert table["cells"].to_dict() == batch.value_counts().to_dict()
    assert table["labeled"].sum() == (codes >= 0).sum()


# Maps and colors -------------------------------------------------------------------------------


def test_the_models_maps_come_first(trained):
    titles = list(maps.embeddings(workspace.workspace(trained)))
    assert titles == ["z1", "z2", "X_umap", "X_pca"]
    for name in titles:
        assert maps.coordinates(workspace.workspace(trained), name).shape == (700, 2)
    run_map = results.current(workspace.workspace(trained)).run.array("umap_z1")
    assert np.array_equal(maps.coordinates(workspace.workspace(trained), "z1"), run_map)
    assert maps.map_revision(workspace.workspace(trained), "z1") != maps.map_revision(
        workspace.workspace(trained), "X_umap"
    )


def test_the_map_of_the_counts_is_a_job_and_belongs_to_those_counts(project, monkeypatch):
    assert maps.clusters_of(workspace.workspace(project)) is None
    job = jobs.wait(maps.start_base_map(workspace.workspace(project)), WAIT_S)
    assert job.status is JobStatus.DONE, job.error
    codes, xy = (
        maps.clusters_of(workspace.workspace(project)),
        maps.coordinates(workspace.workspace(project), maps.BASE),
    )
    assert xy.shape == (700, 2) and np.isfinite(xy).all()
    assert codes.shape == (700,) and 3 < codes.max() < 30
    assert maps.BASE in maps.embeddings(workspace.workspace(project))
    monkeypatch.setitem(opened(project).dataset.manifest, "counts_sha256", "of another matrix")
    assert maps.clusters_of(workspace.workspace(project)) is None
    assert maps.BASE not in maps.embeddings(workspace.workspace(project))


def test_a_retrain_shows_its_own_map(trained, train_now, request_brief):
    from dataclasses import replace

    before = (
        maps.map_revision(workspace.workspace(trained), "z1"),
        maps.coordinates(workspace.workspace(trained), "z1").copy(),
    )
    other = replace(request_brief, train=replace(request_brief.train, seed=4))
    train_now(trained, other)
    assert maps.map_revision(workspace.workspace(trained), "z1") != before[0]
    assert not np.array_equal(maps.coordinates(workspace.workspace(trained), "z1"), before[1])


def test_every_offered_color_covers_every_cell(trained):
    for what in colors.color_options(workspace.workspace(trained)):
        found = colors.coloring(workspace.workspace(trained), what)
        values = found.codes if found.values is None else found.values
        assert len(values) == 700, what
        if found.codes is not None:
            assert found.codes.max() < len(found.names), what


def test_colors_say_what_the_labels_and_the_model_say(trained):
    now, found = opened(trained).labels(), results.current(workspace.workspace(trained))
    label = colors.coloring(workspace.workspace(trained), colors.LABEL)
    truth = np.array([*now.names, ""], dtype=object)[now.codes]
    assert (np.array([*label.names, ""], dtype=object)[label.codes] == truth).all()
    told = colors.coloring(workspace.workspace(trained), colors.PREDICTION)
    assert (np.array(told.names)[told.codes] == np.array(found.names)[found.prediction]).all()
    assert np.array_equal(
        colors.coloring(workspace.workspace(trained), colors.CONFIDENCE).values,
        found.confidence,
    )
    aside = colors.coloring(workspace.workspace(trained), colors.HELD_OUT)
    assert ((aside.codes == 0) == now.holdout).all()
    batch = colors.coloring(workspace.workspace(trained), "batch")
    own = opened(trained).dataset.obs["batch"].astype(str)
    assert (np.array(batch.names)[batch.codes] == own).all()


def test_a_type_keeps_its_place_in_the_palette_after_a_rename(trained):
    before = dict(zip(*_names_and_places(trained), strict=True))
    edit.rename(workspace.workspace(trained), "Dendritic", "DC")
    after = dict(zip(*_names_and_places(trained), strict=True))
    assert after["DC"] == before["Dendritic"]
    assert after["CD19+ B"] == before["CD19+ B"]


def _names_and_places(project):
    found = colors.coloring(workspace.workspace(project), colors.LABEL)
    return found.names, found.places


def test_a_new_label_gives_the_colors_a_new_revision(trained):
    before = colors.coloring(workspace.workspace(trained), colors.LABEL).revision
    edit.name_cells(workspace.workspace(trained), np.array([0]), "Mine", "lasso")
    assert colors.coloring(workspace.workspace(trained), colors.LABEL).revision != before


def test_a_gene_colors_by_its_log_level(project):
    dataset = opened(project).dataset
    gene = dataset.var_names[10]
    column = np.asarray(dataset.counts[:, [10]].todense()).ravel()
    expected = np.log1p(column / dataset.totals * 1e4)
    assert np.allclose(
        colors.gene_coloring(workspace.workspace(project), gene).values, expected, rtol=1e-5
    )


def test_a_marker_rule_picks_the_cells_that_follow_it(project):
    values = {gene: opened(project).dataset.gene(gene) for gene in ("CD3D", "CD79A")}
    selection.join(
        workspace.workspace(project),
        "tab",
        rules.of_markers(workspace.workspace(project), "CD79A+, CD3D-"),
        "replace",
    )
    mask = selection.picked(workspace.workspace(project), "tab")
    assert mask.any() and (values["CD79A"][mask] > 0).all() and (values["CD3D"][mask] == 0).all()
    for rule in ("NOGENE+", "+"):
        with pytest.raises(InputError):
            rules.of_markers(workspace.workspace(project), rule)


# Picked cells -----------------------------------------------------------------------------------


@dataclass
class Shape:
    polygon: np.ndarray
    op: str


SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def test_shapes_add_and_subtract_for_each_tab_alone(project):
    xy = np.full((700, 2), 9.0)
    xy[:10], xy[10:20] = 0.5, (2.5, 0.5)
    wide = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0], [0.0, 1.0]])
    assert (
        selection.pick_polygon(workspace.workspace(project), "tab", xy, Shape(SQUARE, "replace"))
        == 10
    )
    assert (
        selection.pick_polygon(workspace.workspace(project), "tab", xy, Shape(wide, "add")) == 20
    )
    assert (
        selection.pick_polygon(workspace.workspace(project), "tab", xy, Shape(SQUARE, "subtract"))
        == 10
    )
    assert np.flatnonzero(selection.picked(workspace.workspace(project), "tab")).tolist() == list(
        range(10, 20)
    )
    assert not selection.picked(workspace.workspace(project), "other tab").any()
    assert (
        selection.pick_polygon(workspace.workspace(project), "tab", xy, Shape(SQUARE, "clear"))
        == 0
    )


def test_a_shape_can_be_held_to_the_cells_shown(project):
    xy, shown = np.full((700, 2), 0.5), np.arange(700) < 5
    assert (
        selection.pick_polygon(
            workspace.workspace(project), "t", xy, Shape(SQUARE, "replace"), shown
        )
        == 5
    )


def test_picks_of_old_tabs_are_forgotten(project):
    mask = np.ones(700, dtype=bool)
    opened = workspace.workspace(project)
    for i in range(workspace.SELECTIONS + 1):  # each takes a byte per cell
        selection.pick(opened, f"t{i}", mask)
    assert not selection.picked(opened, "t0").any()
    assert selection.picked(opened, f"t{workspace.SELECTIONS}").all()


# Canceling -------------------------------------------------------------------------------------


def cancel_when(project, words):
    """Cancel the opening once its bar says these words; return how it ended."""
    (job,) = jobs.active(project, open_file.OPEN)
    while not job.status.final and job.message != words:
        job = jobs.wait(job.id, WAIT_S, newer_than=job.version)
    jobs.stop(job.id)
    return jobs.wait(job.id, WAIT_S)


def test_a_canceled_opening_keeps_nothing_and_can_begin_again(home, example, monkeypatch):
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(example.parent))
    project = open_file.open_path(example.name)
    assert cancel_when(project, "Reading the file").status is JobStatus.STOPPED
    folder = opened_folder(project)
    assert not list(folder.glob(".*.new"))
    assert not list((folder / "dataset").iterdir())
    assert not workspace.is_ready(project) and workspace.recent_projects() == []
    assert open_file.stopped_file(project) == example.resolve()
    again = jobs.wait(open_file.open_again(project), WAIT_S)
    assert again.status is JobStatus.DONE and opened(project).dataset.n_obs == 700
    assert open_file.stopped_file(project) is None
    with pytest.raises(InputError, match="No file was stopped"):
        open_file.open_again(project)


def opened_folder(project):
    from scanvi_core.project.folder import open_project

    return open_project(project).dataset.parent


def test_reading_with_another_matrix_can_be_canceled_and_the_first_stays(project):
    before = opened(project).dataset.manifest["counts_sha256"]
    open_file.reimport(project, "X")
    cancel_when(project, "Reading the file")
    assert workspace.is_ready(project) and open_file.stopped_file(project) is None
    assert opened(project).dataset.manifest["counts_sha256"] == before
