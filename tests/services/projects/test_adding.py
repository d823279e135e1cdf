"""Files added to a project later: its cells come first, with their labels; it stays as it is."""

import anndata as ad
import numpy as np
import pytest

from scanvi_core import keys, runtime
from scanvi_core.data.manifest import MANIFEST, read_manifest
from scanvi_core.errors import InputError, ProjectError
from scanvi_core.project.files import write_json
from scanvi_core.project.folder import list_projects, open_project
from scanvi_core.project.label_log.storage.signing import VERIFIED
from scanvi_core.services import jobs
from scanvi_core.services import workspace as workspaces
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.labels import edit, history
from scanvi_core.services.projects import library, open_file
from scanvi_core.services.projects.joining import adding, several_files
from scanvi_core.services.projects.joining import grown as grown_project
from scanvi_core.services.projects.joining.joined_files import joined_files
from scanvi_core.services.review import answers
from scanvi_core.services.workspace import workspace
from tests.services.packed import small_example


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Three files of one data set; the third lacks genes and has cells of the first's names."""
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))
    whole = ad.read_h5ad(small_example(tmp_path / "whole.h5ad"))
    parts = [whole[::3].copy(), whole[1::3].copy(), whole[2::3, 20:].copy()]
    parts[2].obs_names = parts[0].obs_names[: parts[2].n_obs]
    paths = [tmp_path / f"{name}.h5ad" for name in ("first", "second", "third")]
    for part, path in zip(parts, paths, strict=True):
        part.write_h5ad(path)
    return paths


def finished(project):
    ended = jobs.wait(jobs.list_jobs(project)[-1].id, 120)
    assert ended.error is None
    return project


def grown(project, *texts, **choices):
    new = finished(adding.add_paths(project, [str(text) for text in texts]))
    jobs.wait(several_files.join(new, **choices), 120)
    return workspace(finished(new))


@pytest.fixture
def begun(files, home):
    """A project of the first file with labels, two of them by hand."""
    project = finished(open_file.open_path(str(files[0])))
    opened = workspace(project)
    edit.use_column(opened, "expert_label", set())
    edit.name_cells(opened, np.array([0, 1]), "Mine", "lasso")
    return project


def test_cells_labels_and_history_of_both_are_in_the_new_project(begun, files):
    old, opened = workspace(begun), grown(begun, files[1])
    n_old = old.dataset.n_obs
    assert opened.id != begun
    assert opened.dataset.n_obs == n_old + ad.read_h5ad(files[1]).n_obs
    assert opened.batches(opened.batch_key).names == ("first", "second")
    mine, theirs = opened.labels(), old.labels()
    assert [mine.names[c] if c >= 0 else "" for c in mine.codes[:n_old]] == [
        theirs.names[c] if c >= 0 else "" for c in theirs.codes
    ]
    assert (mine.codes[n_old:] == -1).all()
    assert mine.seq == theirs.seq
    assert opened.project.settings["labels_key"] == "expert_label"


def test_what_was_done_until_the_files_were_joined_counts(begun, files):
    new = finished(adding.add_paths(begun, [str(files[1])]))
    edit.name_cells(workspace(begun), np.array([5]), "Late", "lasso")
    jobs.wait(several_files.join(new), 120)
    labels = workspace(finished(new)).labels()
    assert labels.names[labels.codes[5]] == "Late"


def test_a_project_without_labels_grows_as_well(files, home):
    project = finished(open_file.open_path(str(files[0])))
    assert grown(project, files[1]).labels().seq == 0


def test_the_old_project_stays_as_it_was(begun, files):
    old = workspace(begun)
    before = (old.dataset.counts[:10].toarray(), old.labels().codes.copy())
    opened = grown(begun, files[1])
    edit.name_cells(opened, np.array([3]), "New", "lasso")
    open_file_again = workspace(begun)
    assert (open_file_again.dataset.counts[:10].toarray() == before[0]).all()
    assert (open_file_again.labels().codes == before[1]).all()


def test_files_are_added_twice_and_each_is_exported_as_it_was(begun, files, tmp_path):
    once = grown(begun, files[1])
    seen = finished(adding.add_paths(once.id, [str(files[2])]))
    overview = several_files.overview(seen)
    assert overview.files["file"].tolist() == ["before", "third"]
    assert overview.batch_key is None and overview.likely_references == ()
    jobs.wait(several_files.join(seen, batch_key=overview.batch_key), 120)
    opened = workspace(finished(seen))
    assert [file.name for file in joined_files(opened)] == ["first", "second", "third"]
    assert opened.batches(opened.batch_key).names == ("first", "second", "third")
    write.write(opened, ExportChoice(per_file=True), tmp_path / "all.annotated.h5ad")
    for path in files:
        before, after = ad.read_h5ad(path), ad.read_h5ad(tmp_path / f"{path.stem}.annotated.h5ad")
        assert (before.X != after.X).nnz == 0 and after.obs_names.equals(before.obs_names)
    first = ad.read_h5ad(tmp_path / "first.annotated.h5ad")
    assert (first.obs[keys.CURATED].iloc[:2] == "Mine").all()


def test_an_uploaded_file_is_kept_for_the_export_of_the_new_project(files, home, tmp_path):
    with files[0].open("rb") as first, files[1].open("rb") as second:
        project = finished(open_file.open_uploads([("first.h5ad", first)]))
        new = finished(adding.add_uploads(project, [("first.h5ad", second)]))
    jobs.wait(several_files.join(new), 120)
    opened = workspace(finished(new))
    assert [file.name for file in joined_files(opened)] == ["first", "first-2"]
    edit.use_column(opened, "expert_label", set())
    write.write(opened, ExportChoice(per_file=True), tmp_path / "x.annotated.h5ad")
    assert ad.read_h5ad(tmp_path / "first.annotated.h5ad").n_obs == ad.read_h5ad(files[0]).n_obs
    open_project(project).source.joinpath("first.h5ad").unlink()
    assert joined_files(opened)[0].source["path"].startswith(str(opened.project.source))


def test_references_of_before_stay_references(begun, files):
    once = grown(begun, files[1], references=["first"])
    twice = grown(once.id, files[2])
    assert [file.reference for file in joined_files(twice)] == [True, False, False]


def test_a_file_that_is_there_already_is_refused_and_nothing_is_left(begun, files):
    n = len(list_projects())
    with pytest.raises(InputError, match=r"first\.h5ad is in this project already"):
        adding.add_paths(begun, [str(files[0])])
    assert len(list_projects()) == n


def test_a_file_by_a_name_of_before_gets_another(begun, files, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    files[1].rename(other / "first.h5ad")
    opened = grown(begun, other / "first.h5ad")
    assert [file.name for file in joined_files(opened)] == ["first", "first-2"]


def test_the_name_tells_what_was_added(begun, files):
    library.rename(begun, "My cells")
    assert grown(begun, *files[1:]).project.name == "My cells + 2 files"


def test_what_was_done_here_is_not_called_foreign(begun, files):
    opened = grown(begun, files[1])
    assert {event.proof for event in opened.store.events()} == {VERIFIED}
    assert history.brought(opened) == ""


def test_labels_of_a_project_that_was_read_anew_do_not_land_on_other_cells(files, home):
    project = finished(open_file.open_path(str(files[0])))
    new = finished(adding.add_paths(project, [str(files[1])]))
    manifest = read_manifest(open_project(project).dataset)
    write_json(open_project(project).dataset / MANIFEST, manifest | {"counts_sha256": "0" * 64})
    workspaces._open.clear()
    assert "was read anew" in jobs.wait(several_files.join(new), 120).error[0]
    assert several_files.is_pending(new)


def test_without_the_old_project_nothing_is_joined_and_its_labels_are_not_lost(begun, files):
    new = finished(adding.add_paths(begun, [str(files[1])]))
    root = open_project(begun).root
    root.rename(root.with_name("away"))
    workspaces._open.clear()
    assert "cannot be opened any more" in jobs.wait(several_files.join(new), 120).error[0]
    assert several_files.is_pending(new)
    assert "cannot be opened any more" in several_files.overview(new).problem


def test_the_same_content_under_another_name_is_refused(begun, files, tmp_path):
    copy = tmp_path / "copy.h5ad"
    copy.write_bytes(files[0].read_bytes())
    new = finished(adding.add_paths(begun, [str(copy)]))
    assert "first and copy hold the same" in several_files.overview(new).problem
    assert "hold the same" in jobs.wait(several_files.join(new), 120).error[0]


def test_names_and_columns_do_not_grow_with_each_addition(begun, files, tmp_path):
    fourth = tmp_path / "fourth.h5ad"
    ad.read_h5ad(files[2])[::2].copy().write_h5ad(fourth)  # cells of the third's names
    once = grown(begun, files[2])
    twice = grown(once.id, files[1])
    thrice = grown(twice.id, fourth)
    for opened in (once, twice, thrice):
        names, n = opened.dataset.obs_names, once.dataset.n_obs
        assert list(names[:n]) == list(once.dataset.obs_names)
    own = ad.read_h5ad(files[0]).obs_names
    assert list(thrice.dataset.obs_names[: len(own)]) == [f"{name}-first" for name in own]
    first = workspace(begun).dataset.manifest["obs_columns"]
    assert set(thrice.dataset.manifest["obs_columns"]) - set(first) == {"source_file"}
    assert [file.ending for file in joined_files(thrice)] == [
        "-first", "-third", "-second", "-fourth",
    ]  # fmt: skip


def test_batches_inside_of_files_stay_what_they_are(files, home):
    for at, path in enumerate(files[:2]):
        file = ad.read_h5ad(path)
        file.obs["donor"] = [f"d{at}{cell % 2}" for cell in range(file.n_obs)]
        del file.obs["batch"]
        file.write_h5ad(path)
    project = finished(several_files.open_paths([str(path) for path in files[:2]]))
    seen = several_files.overview(project)
    assert seen.batch_key == "donor"
    assert seen.divides["donor"] == "first has 2 batches; second has 2 batches"
    jobs.wait(several_files.join(project, batch_key="donor"), 120)
    before = workspace(finished(project)).batches("source_batch").names
    new = finished(adding.add_paths(project, [str(files[2])]))
    seen = several_files.overview(new)
    assert seen.batch_key == "source_batch"  # else four batches would become two
    assert "third has no such column: one batch" in seen.divides["source_batch"]
    jobs.wait(several_files.join(new, batch_key=seen.batch_key), 120)
    opened = workspace(finished(new))
    assert opened.batches(opened.batch_key).names == (*before, "third")


def test_a_column_that_does_not_divide_every_file_is_not_what_one_begins_with(files, home):
    for at, path in enumerate(files[:2]):
        file = ad.read_h5ad(path)
        file.obs["donor"] = "one" if at else [f"d{cell % 2}" for cell in range(file.n_obs)]
        del file.obs["batch"]
        file.write_h5ad(path)
    project = finished(several_files.open_paths([str(path) for path in files[:2]]))
    seen = several_files.overview(project)
    assert seen.batch_key is None and "donor" in seen.columns


def test_who_leaves_keeps_nothing_and_is_back_at_the_project_of_before(begun, files):
    n = len(list_projects())
    new = finished(adding.add_paths(begun, [str(files[1])]))
    root = open_project(new).root
    assert several_files.leave(new) == begun
    assert not root.exists() and len(list_projects()) == n and files[1].is_file()
    assert workspace(begun).labels().seq
    with pytest.raises(ProjectError):
        several_files.leave(begun)  # it waits for nothing
    assert open_project(begun).root.is_dir()


def test_undo_takes_back_no_step_that_was_made_before_files_were_added(begun, files):
    opened = grown(begun, files[1])
    before = opened.labels().codes.copy()
    assert edit.undoable(opened) is None and answers.last_step(opened) == ""
    with pytest.raises(ProjectError, match="since the files were added"):
        edit.undo(opened)
    edit.name_cells(opened, np.array([3]), "New", "lasso")
    edit.undo(opened)
    assert edit.undoable(opened) is None and edit.redoable(opened) is not None
    assert (opened.labels().codes == before).all()


def test_it_is_told_what_is_to_be_done_until_there_is_a_model(begun, files, monkeypatch):
    opened = grown(begun, files[1])
    n_new = opened.dataset.n_obs - workspace(begun).dataset.n_obs
    seen = grown_project.grown(opened)
    assert (seen.n_new, seen.had_model) == (n_new, False)
    assert seen.n_unlabeled == (opened.labels().codes < 0).sum() >= n_new
    assert grown_project.grown(workspace(begun)) is None
    monkeypatch.setattr(type(opened), "current_run", lambda self: object())  # noqa: ARG005
    assert grown_project.grown(opened) is None
