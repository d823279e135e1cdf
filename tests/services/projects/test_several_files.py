"""Several files as one project: read, looked at, joined, exported one by one."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from scanvi_core import keys, runtime
from scanvi_core.errors import ExportError, FileRefused, InputError
from scanvi_core.project.folder import create_project, open_project
from scanvi_core.services import jobs
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.labels import edit
from scanvi_core.services.projects import project_file
from scanvi_core.services.projects.joining import file_names, several_files
from scanvi_core.services.projects.joining.joined_files import joined_files
from scanvi_core.services.workspace import workspace
from tests.services.packed import small_example


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two files of one data set, of which the second lacks genes and labels."""
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))
    whole = ad.read_h5ad(small_example(tmp_path / "whole.h5ad"))
    first, second = whole[::2].copy(), whole[1::2, 20:].copy()
    second.obs = second.obs.drop(columns=["expert_label", "cell_type"])
    first.write_h5ad(tmp_path / "first.h5ad")
    second.write_h5ad(tmp_path / "second.h5ad")
    return tmp_path / "first.h5ad", tmp_path / "second.h5ad"


@pytest.fixture
def read(files, home):
    project = several_files.open_files(files)
    assert finished(project).error is None
    return project


def finished(project):
    return jobs.wait(jobs.list_jobs(project)[-1].id, 120)


def test_files_are_shown_before_they_are_joined(read, files):
    assert several_files.is_pending(read) and several_files.are_read(read)
    seen = several_files.overview(read)
    first, second = (ad.read_h5ad(path) for path in files)
    assert seen.files["file"].tolist() == ["first", "second"]
    assert seen.files["cells"].tolist() == [first.n_obs, second.n_obs]
    assert seen.files["not in all files"].tolist() == [20, 0]
    assert (seen.n_shared, seen.problem) == (second.n_vars, "")
    assert seen.files["types in"].tolist() == ["cell_type", "no column"]
    assert seen.likely_references == ("first",)


def test_the_joined_project_has_the_cells_of_all_and_a_batch_for_each_file(read, files):
    jobs.wait(several_files.join(read), 120)
    assert finished(read).error is None and not several_files.is_pending(read)
    opened = workspace(read)
    first, second = (ad.read_h5ad(path) for path in files)
    assert opened.dataset.n_obs == first.n_obs + second.n_obs
    assert opened.batch_key == "source_file"
    assert opened.batches(opened.batch_key).names == ("first", "second")
    assert "The files were joined: first" in opened.dataset.manifest["repairs"][0]
    assert not open_project(read).parts.exists()


def test_each_file_is_exported_as_it_was_with_the_labels_of_its_cells(read, files, tmp_path):
    jobs.wait(several_files.join(read), 120)
    opened = workspace(read)
    edit.use_column(opened, "expert_label", set())
    edit.name_cells(opened, np.array([0, opened.dataset.n_obs - 1]), "Mine", "lasso")
    write.write(opened, ExportChoice(per_file=True), tmp_path / "all.annotated.h5ad")
    for path, row in zip(files, (0, -1), strict=True):
        before, after = ad.read_h5ad(path), ad.read_h5ad(tmp_path / f"{path.stem}.annotated.h5ad")
        assert (before.X != after.X).nnz == 0
        assert after.obs_names.equals(before.obs_names) and after.var.equals(before.var)
        assert after.obs[list(before.obs)].equals(before.obs)
        labels = after.obs[keys.CURATED].astype(str)
        assert labels.iloc[row] == "Mine" and (labels == "Mine").sum() == 1
        assert keys.UNS_LOG not in after.uns  # its rows are those of all files
        table = pd.read_csv(tmp_path / f"{path.stem}.annotated.labels.csv", index_col=0)
        assert table.index.tolist() == before.obs_names.tolist()
        assert table[keys.CURATED].fillna("").tolist() == after.obs[keys.CURATED].astype(
            object
        ).where(after.obs[keys.CURATED].notna(), "").tolist()  # fmt: skip


def test_a_reference_teaches_and_is_not_exported(read, files, tmp_path):
    jobs.wait(several_files.join(read, references=["first"]), 120)
    opened = workspace(read)
    edit.use_column(opened, "expert_label", set())
    write.write(opened, ExportChoice(per_file=True), tmp_path / "new.h5ad")
    after = ad.read_h5ad(tmp_path / "new.h5ad")
    assert after.obs_names.equals(ad.read_h5ad(files[1]).obs_names)
    assert sorted(tmp_path.glob("*.annotated.h5ad")) == []


def test_not_all_files_can_be_references_and_each_must_be_there(read):
    with pytest.raises(InputError, match="none is left to annotate"):
        several_files.join(read, references=["first", "second"])
    with pytest.raises(InputError, match="no file third"):
        several_files.join(read, references=["third"])


def test_a_file_named_twice_is_refused(files, home):
    with pytest.raises(InputError, match=r"first\.h5ad is there twice"):
        several_files.open_files([files[0], files[0]])


def test_a_file_that_cannot_be_read_is_named(files, home):
    files[1].write_bytes(b"no data")
    project = several_files.open_files(files)
    assert finished(project).error[0].startswith("second: ")
    assert not several_files.are_read(project)


def test_a_project_of_one_file_has_no_parts_to_export(labeled, tmp_path):
    opened = workspace(labeled)
    assert joined_files(opened) == []
    with pytest.raises(ExportError, match="made from one file"):
        write.write(opened, ExportChoice(per_file=True), tmp_path / "x.h5ad")


def test_elsewhere_the_files_are_gone_and_all_cells_can_still_be_exported(
    read, tmp_path, monkeypatch
):
    jobs.wait(several_files.join(read), 120)
    edit.use_column(workspace(read), "expert_label", set())
    with project_file.save(read).open("rb") as packed:
        copy = project_file.take_in(packed)
    opened = workspace(copy)
    assert [file.name for file in joined_files(opened)] == ["first", "second"]
    with pytest.raises(ExportError, match="first is not on this computer"):
        write.write(opened, ExportChoice(per_file=True), tmp_path / "x.annotated.h5ad")
    write.write(opened, ExportChoice(), tmp_path / "x.h5ad")
    assert ad.read_h5ad(tmp_path / "x.h5ad").n_obs == opened.dataset.n_obs


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/d/a.h5ad", "/d/b.h5ad"], ["a", "b"]),
        (["/d/s1/outs/filtered_bc", "/d/s2/outs/filtered_bc"], ["s1", "s2"]),
        (
            ["/d/x/cells.h5ad", "/d/y/cells.h5ad", "/d/y/other.h5ad"],
            ["cells", "cells-2", "other"],
        ),
        (["/d/é è.h5ad", "/d/ö.h5ad"], ["e_e", "o"]),
        (["/d/細胞.h5ad", "/d/組織.h5ad"], ["file", "file-2"]),
        (["/a/x.h5ad", "/b/x.h5ad", "/b/x-1.h5ad", "/b/X.h5ad"], ["x", "x-2", "x-1", "X-3"]),
    ],
)
def test_files_are_named_by_what_tells_them_apart(paths, expected):
    from pathlib import Path

    assert file_names.names_of([Path(path) for path in paths]) == expected


def test_a_project_that_is_joined_is_a_project_like_others(home):
    assert not several_files.is_pending(create_project("Empty").id)


def test_no_copy_takes_the_place_of_a_file_it_was_joined_from(files, home, tmp_path):
    own = files[0].rename(tmp_path / "second.annotated.h5ad")
    project = several_files.open_files([files[1], own])
    finished(project)
    jobs.wait(several_files.join(project), 120)
    opened, before = workspace(project), own.read_bytes()
    edit.use_column(opened, "expert_label", set())
    with pytest.raises(ExportError, match="is your own file"):
        write.write(opened, ExportChoice(per_file=True), tmp_path / "all.annotated.h5ad")
    for target in (own, opened.project.root / "settings.json"):
        with pytest.raises(ExportError, match=r"is your own file|lies among the projects"):
            write.write(opened, ExportChoice(), target)
    assert own.read_bytes() == before
    assert not (tmp_path / "second.annotated.annotated.h5ad").exists()  # nothing was begun


def test_nothing_is_written_when_one_file_has_changed(read, files, tmp_path):
    jobs.wait(several_files.join(read), 120)
    edit.use_column(workspace(read), "expert_label", set())
    files[1].write_bytes(files[1].read_bytes() + b" ")
    with pytest.raises(ExportError, match=r"second\.h5ad is not the file that was loaded"):
        write.write(workspace(read), ExportChoice(per_file=True), tmp_path / "all.annotated.h5ad")
    assert list(tmp_path.glob("*annotated*")) == []


def test_names_of_cells_in_a_table_are_those_in_its_file(tmp_path, home, monkeypatch):
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))
    whole = ad.read_h5ad(small_example(tmp_path / "whole.h5ad"))
    for number, rows in (("1", slice(0, None, 2)), ("2", slice(1, None, 2))):
        part = whole[rows].copy()
        part.obs_names = [f"{name}-{number}" for name in part.obs_names]
        part.write_h5ad(tmp_path / f"{number}.h5ad")
    project = several_files.open_files([tmp_path / "1.h5ad", tmp_path / "2.h5ad"])
    finished(project)
    jobs.wait(several_files.join(project), 120)
    edit.use_column(workspace(project), "expert_label", set())
    write.write(workspace(project), ExportChoice(per_file=True), tmp_path / "all.annotated.h5ad")
    for number in ("1", "2"):
        table = pd.read_csv(tmp_path / f"{number}.annotated.labels.csv", index_col=0)
        assert table.index.tolist() == ad.read_h5ad(tmp_path / f"{number}.h5ad").obs_names.tolist()


def test_a_link_in_a_folder_of_samples_does_not_lead_out_of_the_data_folder(
    files, home, tmp_path, monkeypatch
):
    root = tmp_path / "root"
    (root / "samples").mkdir(parents=True)
    for file in files:
        (root / "samples" / file.name).symlink_to(file)
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(root))
    with pytest.raises(FileRefused, match="outside the data folder"):
        several_files.open_paths(["samples"])
