"""The history of a project, its export, others' work, labels of an earlier version of a file."""

import anndata
import numpy as np
import pytest

from scanvi_core.errors import (
    ProjectError,
    SettingInvalid,
    StaleEdit,
    StepInUse,
)
from scanvi_core.project.folder import create_project
from scanvi_core.project.label_log.store import LabelStore
from scanvi_core.services.labels import broader_types, edit, from_project, history
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace
from tests.projects import copy_of


def names(project):
    state = workspace(project).labels()
    return np.array([*state.names, ""], dtype=object)[state.codes]


def test_the_table_tells_who_did_what_why_and_with_which_model(trained, monkeypatch):
    workspace(trained).store.actor = "anna"
    edit.name_cells(workspace(trained), np.array([3, 5]), "Mine", "rule CD3D+")
    edit.undo(workspace(trained))
    table = history.table(workspace(trained)).set_index("step")
    last = table.loc[table.index.max() - 1]
    assert (last["who"], last["what"], last["cells"]) == ("anna", "assign Mine to 2 cells", 2)
    assert (last["why"], last["model"], last["undone"]) == ("rule CD3D+", "0001", True)
    assert table.index.tolist() == sorted(table.index, reverse=True)


def test_going_back_to_a_step_and_forward_again(labeled):
    here = workspace(labeled).labels().seq
    before = names(labeled)
    for i in range(3):
        edit.name_cells(workspace(labeled), np.array([i]), f"new {i}", "lasso")
    after = names(labeled)
    assert history.go_back_to(workspace(labeled), here) == 3
    assert (names(labeled) == before).all()
    for _ in range(3):
        edit.redo(workspace(labeled))
    assert (names(labeled) == after).all()


def test_taking_back_one_step_that_later_ones_changed_names_the_cells(labeled):
    edit.name_cells(workspace(labeled), np.array([3, 4]), "A", "lasso")
    step = workspace(labeled).labels().seq
    edit.name_cells(workspace(labeled), np.array([4, 9]), "B", "lasso")
    with pytest.raises(StepInUse) as caught:
        history.take_back_only(workspace(labeled), step)
    own = workspace(labeled).dataset.obs_names[4]
    assert history.cell_names(workspace(labeled), caught.value.rows) == [own]


def test_checkpoints_are_compared_by_cells_and_names(labeled):
    edit.start_empty(workspace(labeled))
    history.checkpoint(workspace(labeled), "nothing yet")
    edit.name_cells(workspace(labeled), np.arange(10), "A", "lasso")
    history.checkpoint(workspace(labeled), "first")
    edit.name_cells(workspace(labeled), np.arange(4), "B", "lasso")
    steps = {name: step for step, name in history.moments(workspace(labeled)).items()}
    table = history.compare(workspace(labeled), steps["nothing yet"], steps["Now"])
    assert table.to_numpy().tolist() == [["no label", "A", 6], ["no label", "B", 4]]
    table = history.compare(workspace(labeled), steps["first"], steps["Now"])
    assert table.to_numpy().tolist() == [["A", "B", 4]]


def test_a_type_is_split_into_types_below_it_and_folded_back_and_both_undone(labeled):
    opened, before = workspace(labeled), names(labeled)
    rows = np.flatnonzero(before == "CD56+ NK")
    edit.set_parents(opened, {"CD56+ NK": ("lymphocyte",)})
    edit.split_below(opened, "CD56+ NK", {"bright": rows[:7], "dim": rows[7:]})
    state = opened.labels()
    assert (names(labeled)[rows[:7]] == "bright").all()
    above = {"bright": ("CD56+ NK",), "dim": ("CD56+ NK",), "CD56+ NK": ("lymphocyte",)}
    assert state.parents == above and state.counts["CD56+ NK"] == 0
    assert broader_types.fold_back(opened, "CD56+ NK") == 2
    assert (names(labeled) == before).all()
    assert opened.labels().parents == {"CD56+ NK": ("lymphocyte",)}
    edit.undo(opened)
    assert opened.labels().parents == above
    edit.undo(opened)
    assert (names(labeled) == before).all() and "bright" not in opened.labels().active
    with pytest.raises(SettingInvalid, match="No type is part of"):
        broader_types.fold_back(opened, "CD56+ NK")
    with pytest.raises(SettingInvalid, match="No part has a name"):
        edit.split_below(opened, "CD56+ NK", {" ": rows})


def test_a_part_may_be_another_type_and_none_stands_under_what_is_below_it(labeled):
    opened = workspace(labeled)
    rows = np.flatnonzero(names(labeled) == "CD56+ NK")
    edit.set_parents(opened, {"CD56+ NK": ("CD34+",)})
    parts = {"Dendritic": rows[:4], "CD34+": rows[4:6], "CD56+ NK": rows[6:8]}
    edit.split_below(opened, "CD56+ NK", parts)
    parents = {"CD56+ NK": ("CD34+",), "Dendritic": ("CD56+ NK",)}
    assert opened.labels().parents == parents
    assert (names(labeled)[rows[8:]] == "CD56+ NK").all()


def test_types_are_added_colored_and_deleted(labeled):
    edit.add_type(workspace(labeled), "Rare")
    edit.recolor(workspace(labeled), "Rare", "#112233")
    assert workspace(labeled).labels().colors == {"Rare": "#112233"}
    edit.delete_type(workspace(labeled), "Dendritic")
    active = workspace(labeled).labels().active
    assert "Rare" in active and "Dendritic" not in active
    assert "Dendritic" not in names(labeled)


def test_an_edit_of_what_another_tab_changed_is_refused_with_both_versions(labeled):
    seen = workspace(labeled).labels().seq
    edit.name_cells(workspace(labeled), np.array([3, 4]), "Theirs", "lasso", seen=seen)
    with pytest.raises(StaleEdit) as caught:
        edit.name_cells(workspace(labeled), np.array([4, 5]), "Mine", "lasso", seen=seen)
    assert "Theirs" in caught.value.theirs and "Mine" in caught.value.yours
    assert names(labeled)[4] == "Theirs"
    edit.name_cells(workspace(labeled), np.array([4, 5]), "Mine", "lasso")
    assert names(labeled)[4] == "Mine"


# The log as a file ------------------------------------------------------------------------------


def test_the_log_alone_gives_the_same_labels_byte_for_byte(labeled):
    edit.name_cells(workspace(labeled), np.array([3, 4]), "Mine", "lasso")
    edit.rename(workspace(labeled), "Dendritic", "DC")
    edit.undo(workspace(labeled))
    _, *lines = history.export_log(workspace(labeled)).decode().split("\n")
    replayed, now = LabelStore.replay(lines, 700), workspace(labeled).labels()
    assert replayed.codes.tobytes() == now.codes.tobytes()
    assert replayed.sources.tobytes() == now.sources.tobytes()
    assert replayed.holdout.tobytes() == now.holdout.tobytes()
    assert replayed.labels == now.labels


def test_an_exported_log_gives_the_same_file_opened_elsewhere_labels_and_history(
    labeled, imported
):
    edit.name_cells(workspace(labeled), np.array([3]), "Mine", "lasso")
    edit.undo(workspace(labeled))
    elsewhere = copy_of(imported)
    assert history.import_log(workspace(elsewhere), history.export_log(workspace(labeled))) is None
    final = [
        results.final_labels(workspace(p), threshold=1.0)[0].tolist() for p in (labeled, elsewhere)
    ]
    assert final[0] == final[1]
    marks = ["verified", "proof", "proof_text"]
    here, there = history.table(workspace(labeled)), history.table(workspace(elsewhere))
    assert there.drop(columns=marks).equals(here.drop(columns=marks))
    assert here["verified"].all() and not there["verified"].any()
    edit.redo(workspace(elsewhere))
    assert names(elsewhere)[3] == "Mine"


def test_a_colleagues_log_is_merged_and_what_differs_waits_for_a_decision(labeled, imported):
    ours, theirs = labeled, copy_of(imported)
    history.import_log(workspace(theirs), history.export_log(workspace(ours)))
    assert names(ours)[1]  # read from the file: yields to both
    workspace(theirs).store.actor = "ben"
    edit.name_cells(workspace(ours), np.array([0, 1]), "A", "lasso")
    edit.name_cells(workspace(theirs), np.array([1, 2]), "B", "lasso")
    taken = history.import_log(workspace(ours), history.export_log(workspace(theirs)))
    assert (taken.n_events, taken.n_conflicts) == (1, 1)
    assert names(ours)[:3].tolist() == ["A", "", "B"]
    (item,) = history.conflicts(workspace(ours))
    assert item.rows.tolist() == [1] and ("ben", "B") in item.versions
    assert history.agreement_table(taken)["type"].tolist() == ["A", "B"]
    edit.name_cells(workspace(ours), item.rows, "B", "decided")
    assert history.conflicts(workspace(ours)) == []
    assert (
        history.import_log(workspace(ours), history.export_log(workspace(theirs))).payload is None
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [(b"\xff\x00", "no label history"), (b"{}", "no label history"), (b"[1]", "no label history"),
     (b'{"scanvi_label_log": 9}', "newer format"),
     (b'{"scanvi_label_log": 1, "n_obs": 3, "project": "X"}', "other cells")],
)  # fmt: skip
def test_what_is_no_log_of_these_cells_is_refused(labeled, text, why):
    with pytest.raises(ProjectError, match=why):
        history.import_log(workspace(labeled), text)


def test_a_log_with_a_changed_line_is_refused_and_nothing_is_taken_over(
    labeled, project, imported
):
    lines = history.export_log(workspace(labeled)).decode().split("\n")
    lines[1] = lines[1].replace("Dendritic", "Dentritic", 1)
    fresh = copy_of(imported)
    with pytest.raises(ProjectError, match="damaged"):
        history.import_log(workspace(fresh), "\n".join(lines).encode())
    assert workspace(fresh).labels().seq == 0


# Another version of the file --------------------------------------------------------------------


def numbers(names):
    """Return the names that tables get when theirs are thrown away."""
    return [str(i) for i in range(len(names))]


def version(project, tmp_path, rows, rename=None):
    """Open a version of the project's file with other rows, and perhaps other cell names."""
    source = workspace(project).dataset.manifest["source"]["path"]
    adata = anndata.read_h5ad(source)[rows].copy()
    if rename is not None:
        adata.obs_names = rename(adata.obs_names)
    path = tmp_path / f"version{len(rows)}{rename is not None}.h5ad"
    adata.write_h5ad(path)
    return import_into(create_project("Version"), path).project.id


@pytest.mark.parametrize("renamed", [False, True])
def test_a_shuffled_subset_gets_its_labels_back_by_name_or_by_counts(labeled, tmp_path, renamed):
    edit.name_cells(workspace(labeled), np.arange(5), "Mine", "lasso")
    edit.undo(workspace(labeled))
    rows = np.random.default_rng(0).permutation(700)[:400]
    other = version(labeled, tmp_path, rows, numbers if renamed else None)
    found = from_project.take_over(labeled, workspace(other))
    if renamed:
        assert (found.by_name, found.by_counts, found.new) == (0, 400, 0)
    else:
        assert (found.by_name, found.by_counts, found.new) == (400, 0, 0)
    assert (names(other) == names(labeled)[rows]).all()
    now, before = workspace(other).labels(), workspace(labeled).labels()
    assert (now.sources == before.sources[rows]).all()
    assert (now.holdout == before.holdout[rows]).all()
    assert len(history.table(workspace(other))) == len(history.table(workspace(labeled)))
    edit.redo(workspace(other))
    assert (names(other)[rows < 5] == "Mine").all()


def test_names_given_anew_as_numbers_do_not_mix_up_the_cells(labeled, tmp_path):
    numbered = version(labeled, tmp_path, np.arange(700), numbers)
    edit.use_column(workspace(numbered), "cell_type", set())
    rows = np.random.default_rng(1).permutation(700)
    shuffled = version(numbered, tmp_path, rows[:699], numbers)
    found = from_project.take_over(numbered, workspace(shuffled))
    assert found.by_counts >= 690
    assert (names(shuffled) == names(numbered)[rows[:699]]).all()


def test_cells_that_were_not_there_before_are_counted_as_new(labeled, tmp_path, monkeypatch):
    part = version(labeled, tmp_path, np.arange(300))
    edit.use_column(workspace(part), "cell_type", set())
    whole = version(labeled, tmp_path, np.arange(700))
    found = from_project.take_over(part, workspace(whole))
    assert (found.by_name, found.new) == (300, 400)
    assert (names(whole)[300:] == "").all()


def test_another_experiment_has_no_labels_for_these_cells(labeled, tmp_path):
    source = workspace(labeled).dataset.manifest["source"]["path"]
    adata = anndata.read_h5ad(source)
    adata.obs_names = [f"x{i}" for i in range(700)]
    counts = adata.layers.get("counts", adata.X)
    counts.data[:] = counts.data + 1
    path = tmp_path / "other.h5ad"
    adata.write_h5ad(path)
    other = import_into(create_project("Other"), path).project.id
    with pytest.raises(match="No cell of"):
        from_project.take_over(labeled, workspace(other))
