"""Label columns, hand-made labels, groups, expected shares, undo."""

import numpy as np
import pytest

from scanvi_core import keys
from scanvi_core.errors import ColumnMissing, LabelsUnusable, ProjectError, SettingInvalid
from scanvi_core.project.label_log.replay.state import GIVEN, MANUAL
from scanvi_core.services.labels import edit, holdout, type_table
from scanvi_core.services.projects import status
from scanvi_core.services.workspace import workspace


def state(project):
    return workspace(project).labels()


def words(project):
    now = state(project)
    return np.array([*now.names, ""], dtype=object)[now.codes]


def column(project, key="cell_type"):
    return workspace(project).dataset.obs[key]


def test_the_likeliest_label_column_comes_first(project):
    types, others = edit.label_columns(workspace(project))
    assert types == ["cell_type", "expert_label"]
    assert "louvain" in others  # numbers of clusters
    assert "n_counts" not in types + others  # a number per cell is no type


def test_a_column_becomes_labels_and_missing_values_stay_open(project):
    edit.use_column(workspace(project), "cell_type", set())
    given = column(project)
    assert (words(project) == given.astype(object).fillna("").to_numpy()).all()
    assert ((state(project).sources == GIVEN) == given.notna()).all()
    assert workspace(project).project.settings["labels_key"] == "cell_type"


def test_values_that_mean_unlabeled_leave_their_cells_open(project):
    edit.use_column(workspace(project), "expert_label", {"Dendritic", "CD34+"})
    hidden = column(project, "expert_label").isin(["Dendritic", "CD34+"]).to_numpy()
    assert ((state(project).codes < 0) == hidden).all()
    assert "Dendritic" not in state(project).active


def test_using_a_column_sets_a_share_of_each_large_type_aside(project):
    edit.use_column(workspace(project), "cell_type", set())
    table = type_table.label_table(workspace(project)).set_index("type")
    total = table["labeled"] + table["set aside"]
    large = total >= holdout.MIN_TYPE
    assert (table["set aside"][large] == (0.15 * total[large]).round()).all()
    assert (table["set aside"][~large] == 0).all()


def test_an_unknown_column_is_refused_with_those_there_are(project):
    with pytest.raises(ColumnMissing, match="no column nothing") as caught:
        edit.use_column(workspace(project), "nothing", set())
    assert "cell_type" in caught.value.hint


def test_a_column_without_labeled_cells_is_refused_and_changes_nothing(project):
    everything = set(column(project).dropna().unique())
    with pytest.raises(LabelsUnusable, match="no labeled cells"):
        edit.use_column(workspace(project), "cell_type", everything)
    with pytest.raises(LabelsUnusable, match="Only one label"):
        edit.use_column(workspace(project), "cell_type", everything - {"Dendritic"})
    assert state(project).seq == 0


def test_barcodes_are_no_types(project):
    dataset = workspace(project).dataset
    dataset.obs["name"] = dataset.obs_names
    with pytest.raises(LabelsUnusable, match="700 different values for 700 cells"):
        edit.use_column(workspace(project), "name", set())


def test_values_are_listed_with_their_cells_and_a_guess(project):
    dataset = workspace(project).dataset
    dataset.obs["mine"] = np.resize(["B", "B", " N/A ", "Unknown "], 700)
    table = edit.column_values(workspace(project), "mine").set_index("value")
    assert table["cells"].to_dict() == {"B": 350, " N/A ": 175, "Unknown ": 175}
    assert table["unlabeled"].to_dict() == {"B": False, " N/A ": True, "Unknown ": True}


def test_naming_by_hand_replaces_and_is_marked(labeled):
    edit.name_cells(workspace(labeled), np.array([3, 5]), "My type", "lasso")
    assert words(labeled)[[3, 5]].tolist() == ["My type", "My type"]
    assert (state(labeled).sources[[3, 5]] == MANUAL).all()


def test_clearing_takes_only_those_labels_off(labeled):
    before = words(labeled)
    rows = np.flatnonzero(before != "")[:4]
    edit.clear_cells(workspace(labeled), rows, "lasso")
    after = words(labeled)
    assert (after[rows] == "").all()
    assert (np.delete(after, rows) == np.delete(before, rows)).all()


def test_a_rename_keeps_the_cells(labeled):
    before = words(labeled) == "CD56+ NK"
    edit.rename(workspace(labeled), "CD56+ NK", "NK cell")
    assert ((words(labeled) == "NK cell") == before).all()
    assert "CD56+ NK" not in state(labeled).active


def test_a_rename_to_a_known_name_merges(labeled):
    before = words(labeled)
    edit.rename(workspace(labeled), "CD56+ NK", " CD19+ B ")
    assert ((words(labeled) == "CD19+ B") == np.isin(before, ["CD56+ NK", "CD19+ B"])).all()
    edit.undo(workspace(labeled))
    assert (words(labeled) == before).all()


def test_an_empty_name_is_refused(labeled):
    with pytest.raises(SettingInvalid, match="empty"):
        edit.name_cells(workspace(labeled), np.array([1]), "  ", "lasso")
    with pytest.raises(SettingInvalid, match="empty"):
        edit.rename(workspace(labeled), "CD56+ NK", "")


def test_broader_types_and_shares_are_shown_in_the_table_and_can_be_emptied(labeled):
    edit.set_parents(
        workspace(labeled), dict.fromkeys(("CD56+ NK", "CD8+ Cytotoxic T"), ("NK/T",))
    )
    edit.set_prior(workspace(labeled), {"CD56+ NK": 0.2})
    table = type_table.label_table(workspace(labeled)).set_index("type")
    assert table["part of"]["CD56+ NK"] == table["part of"]["CD8+ Cytotoxic T"] == "NK/T"
    assert table["expected share"]["CD56+ NK"] == 0.2
    assert table["expected share"].isna().sum() == len(table) - 1
    edit.set_parents(workspace(labeled), {})
    edit.set_prior(workspace(labeled), {})
    assert not state(labeled).parents and not state(labeled).prior


def test_a_share_of_nothing_is_refused(labeled):
    with pytest.raises(SettingInvalid, match="share"):
        edit.set_prior(workspace(labeled), {"CD56+ NK": 0.0})


def test_types_too_rare_to_score_are_noted(labeled):
    edit.name_cells(workspace(labeled), np.array([0, 1]), "Rare", "lasso")
    notes = type_table.label_table(workspace(labeled)).set_index("type")["note"]
    assert notes["Rare"] == "too few to score"
    assert notes["Dendritic"] == ""


def test_undo_and_redo_walk_the_log_in_words(labeled):
    before = words(labeled)
    edit.name_cells(workspace(labeled), np.array([3]), "My type", "lasso")
    assert status.of(labeled).last_change == "assign My type to 1 cell"
    edit.undo(workspace(labeled))
    assert "assign My type" in status.of(labeled).last_change
    assert (words(labeled) == before).all()
    edit.redo(workspace(labeled))
    assert words(labeled)[3] == "My type"


def test_undo_of_the_hold_out_and_of_the_column_leaves_nothing(labeled):
    edit.undo(workspace(labeled))
    assert not state(labeled).holdout.any()
    edit.undo(workspace(labeled))
    assert (state(labeled).codes < 0).all()
    with pytest.raises(ProjectError, match="othing"):
        edit.undo(workspace(labeled))


def test_starting_empty_forgets_labels_and_hold_out(labeled):
    assert state(labeled).holdout.any()
    edit.start_empty(workspace(labeled))
    now = state(labeled)
    assert (now.codes < 0).all() and not now.active
    assert not now.holdout.any(), "cells named from now on would be hidden from the model"


def test_unknown_is_a_word_like_others_for_the_store(labeled):
    edit.name_cells(workspace(labeled), np.array([3]), keys.UNKNOWN, "review")
    assert words(labeled)[3] == keys.UNKNOWN
