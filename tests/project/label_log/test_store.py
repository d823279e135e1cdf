"""The label store: what each event does, undo and redo, the log as text."""

import time

import numpy as np
import pytest

from scanvi_core.errors import (
    ProjectError,
    SettingInvalid,
    StaleEdit,
    StepInUse,
)
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.events import describe
from scanvi_core.project.label_log.store import LabelStore
from tests.project.label_log.views import N, names_of, seen, sql


def test_an_import_sets_the_whole_column_as_given(filled):
    state = filled.labels()
    assert names_of(state) == ["B"] * 10 + ["T"] * 10 + [None] * 20
    assert state.sources.tolist() == [1] * 20 + [0] * 20
    assert state.counts == {"B": 10, "T": 10}


def test_a_second_import_retires_the_labels_the_file_does_not_have(filled):
    filled.append(events.import_labels(["T", "NK"], np.repeat([-1, 0, 1, 1], 10)))
    state = filled.labels()
    assert names_of(state) == [None] * 10 + ["T"] * 10 + ["NK"] * 20
    assert state.active == ("T", "NK")


def test_spellings_that_differ_in_blanks_or_normal_form_become_one_label(store):
    store.append(events.import_labels(["T\u00e9", " Te\u0301 "], np.arange(N) % 2))
    assert store.labels().active == ("T\u00e9",)


def test_assigning_labels_cells_by_hand_and_creates_the_label(filled):
    filled.append(events.assign([39, 0, 0, 5], "NK"))
    state = filled.labels()
    assert np.flatnonzero(state.codes == state.names.index("NK")).tolist() == [0, 5, 39]
    assert state.sources[[0, 5, 39]].tolist() == [2, 2, 2]


def test_accepting_leaves_given_and_manual_cells_alone_and_reports_them(filled):
    filled.append(events.assign([20], "NK"))
    filled.append(events.accept([19, 20, 21, 22], "T", model="0001"))
    state = filled.labels()
    assert names_of(state)[19:23] == ["T", "NK", "T", "T"]
    assert state.sources[19:23].tolist() == [1, 2, 3, 3]
    event = filled.events()[-1]
    assert (event.payload["n_cells"], event.payload["left_out"]) == (2, 2)


def test_accepting_takes_one_label_per_cell_whatever_the_order_of_rows(filled):
    filled.append(events.accept([30, 25, 5], ["NK", "B", "Never"]))
    state = filled.labels()
    assert (names_of(state)[30], names_of(state)[25], names_of(state)[5]) == ("NK", "B", "B")
    assert state.active == ("B", "T", "NK")  # a label whose only cell was left out is not made


def test_an_accepted_cell_can_be_accepted_again(filled):
    filled.append(events.accept([30], "T"))
    filled.append(events.accept([30], "B"))
    assert names_of(filled.labels())[30] == "B"


def test_clearing_takes_label_and_source_off(filled):
    filled.append(events.clear([3]))
    assert (names_of(filled.labels())[3], filled.labels().sources[3]) == (None, 0)


def test_codes_stay_valid_when_labels_are_renamed_merged_and_deleted(filled):
    before = filled.labels()
    filled.append(events.create("NK"))
    filled.append(events.rename("B", "B cell"))
    filled.append(events.merge("T", into="NK"))
    filled.append(events.delete("B cell"))
    state = filled.labels()
    assert state.names == ("B cell", "T", "NK")
    assert state.active == ("NK",)
    assert names_of(state) == [None] * 10 + ["NK"] * 10 + [None] * 20
    assert state.sources[10:20].tolist() == [1] * 10
    assert names_of(before) == ["B"] * 10 + ["T"] * 10 + [None] * 20


def test_compact_codes_run_without_gaps(filled):
    filled.append(events.delete("B"))
    filled.append(events.assign([0], "NK"))
    codes, names = filled.labels().compact()
    assert names == ("T", "NK")
    assert codes.tolist() == [1] + [-1] * 9 + [0] * 10 + [-1] * 20


def test_a_deleted_name_can_be_used_again(filled):
    filled.append(events.delete("B"))
    filled.append(events.create("B"))
    assert filled.labels().active == ("T", "B")
    assert filled.labels().counts["B"] == 0


@pytest.mark.parametrize(
    "event",
    [
        events.create("B"),
        events.rename("B", "T"),
        events.rename("X", "Y"),
        events.delete("X"),
        events.merge("X", into="B"),
        events.parents({"X": ("g",)}),
    ],
    ids=["create known", "rename to known", "rename", "delete", "merge", "group"],
)
def test_a_label_that_is_missing_or_there_already_is_refused_and_nothing_saved(filled, event):
    with pytest.raises(ProjectError):
        filled.append(event)
    assert len(filled.events()) == 1


@pytest.mark.parametrize("rows", [[N], [-1], [0.5]])
def test_rows_the_data_set_does_not_have_are_refused(filled, rows):
    with pytest.raises(SettingInvalid):
        filled.append(events.assign(rows, "B"))


@pytest.mark.parametrize("label", ["", " \t", "x" * 201])
def test_empty_and_endless_names_are_refused(label):
    with pytest.raises(SettingInvalid):
        events.assign([0], label)


def test_parents_and_prior_replace_the_mapping_and_follow_a_rename(filled):
    filled.append(events.parents({"B": ("lymphoid",), "T": ("lymphoid",)}))
    filled.append(events.parents({"T": ("T lineage",)}))
    filled.append(events.prior({"B": 2, "T": 1}))
    filled.append(events.recolor({"B": "#123456"}))
    filled.append(events.rename("T", "T cell"))
    state = filled.labels()
    assert state.parents == {"T cell": ("T lineage",)}
    assert state.prior == {"B": 2.0, "T cell": 1.0}
    assert state.colors == {"B": "#123456"}


def test_a_holdout_replaces_the_previous_one_and_undo_brings_it_back(filled):
    filled.append(events.holdout([1, 2], how="random", seed=3))
    filled.append(events.holdout([2, 30], how="batch"))
    assert np.flatnonzero(filled.labels().holdout).tolist() == [2, 30]
    filled.undo()
    assert np.flatnonzero(filled.labels().holdout).tolist() == [1, 2]


def test_labels_as_they_were(filled):
    first = filled.append(events.assign([0], "T"))
    filled.append(events.delete("T"))
    assert names_of(filled.labels(at=first))[0] == "T"
    assert filled.labels(at=0).active == ()


def test_redo_puts_back_until_something_new_happens(filled):
    filled.append(events.assign([0], "X"))
    filled.append(events.assign([1], "Y"))
    wanted = seen(filled.labels())
    filled.undo()
    filled.undo()
    filled.append(events.note("a remark does not count"))
    filled.redo()
    filled.redo()
    assert seen(filled.labels()) == wanted
    filled.undo()
    filled.append(events.assign([2], "Z"))
    with pytest.raises(ProjectError, match="nothing to redo"):
        filled.redo()


def test_one_step_in_the_middle_can_be_taken_back_alone(filled):
    middle = filled.append(events.assign([0, 1], "T"))
    filled.append(events.assign([5], "T"))
    filled.undo(middle)
    assert names_of(filled.labels())[:6] == ["B", "B", "B", "B", "B", "T"]
    with pytest.raises(ProjectError, match="undone already"):
        filled.undo(middle)


def test_a_step_that_later_ones_build_on_is_not_taken_back_alone(filled):
    on_cells = filled.append(events.assign([0, 1], "T"))
    filled.append(events.assign([1, 2], "B"))
    makes_label = filled.append(events.assign([5], "New"))
    filled.append(events.assign([6], "New"))
    for step in (on_cells, makes_label):
        with pytest.raises(ProjectError, match="cannot be taken back alone"):
            filled.undo(step)


def test_a_step_in_use_tells_the_cells_and_the_later_steps(filled):
    step = filled.append(events.assign([0, 1, 2, 3], "T"))
    later = [filled.append(events.assign([2], "B")), filled.append(events.clear([3, 30]))]
    filled.append(events.assign([35], "T"))
    with pytest.raises(StepInUse, match="in 2 cells") as caught:
        filled.undo(step)
    assert caught.value.rows.tolist() == [2, 3]
    assert [event.seq for event in caught.value.steps] == later[::-1]
    filled.undo_to(step)
    filled.undo(step)
    assert names_of(filled.labels())[:4] == ["B"] * 4


def test_undo_to_here_takes_back_all_that_came_later_and_redo_walks_forward_again(filled):
    here = filled.append(events.assign([0], "T"))
    wanted = seen(filled.labels())
    for row in (1, 2, 3):
        filled.append(events.assign([row], f"new {row}"))
    end = seen(filled.labels())
    assert filled.undo_to(here) == 3
    assert seen(filled.labels()) == wanted
    for _ in range(3):
        filled.redo()
    assert seen(filled.labels()) == end
    assert filled.undo_to(0) == 5
    assert filled.labels().active == ()


def test_undo_to_here_is_done_whole_or_not_at_all(tmp_path, filled):
    here = filled.append(events.assign([0], "T"))
    for row in (1, 2, 3):
        filled.append(events.assign([row], "T"))
    before, n = seen(filled.labels()), len(filled.events())
    trigger = "CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.seq > 6"
    sql(tmp_path, f"{trigger} BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(ProjectError, match="could not be saved"):
        filled.undo_to(here)
    assert (seen(filled.labels()), len(filled.events())) == (before, n)


def test_a_hold_out_of_no_cells_can_be_seen_to_be_undone(filled):
    filled.append(events.holdout([1, 2], how="cells"))
    filled.append(events.holdout([], how="none"))
    filled.undo()
    assert [event.undone for event in filled.events()] == [False, False, True, False]


def test_splitting_gives_cells_of_one_label_new_names_and_leaves_the_others(filled):
    filled.append(events.split("B", ["B1", "B2"], [0, 1, 2, 15], [0, 1, 1, 0]))
    assert names_of(filled.labels())[:4] == ["B1", "B2", "B2", "B"]
    assert names_of(filled.labels())[15] == "T"
    assert describe(filled.events()[-1]) == "split B into B1, B2 (3 cells)"
    filled.append(events.split("T", ["T1", "T2"], np.arange(10, 20), np.arange(10) % 2))
    assert filled.labels().active == ("B", "B1", "B2", "T1", "T2")
    with pytest.raises(SettingInvalid, match="None of these cells is B"):
        filled.append(events.split("B", ["X"], [30], [0]))


def test_a_checkpoint_names_a_moment_and_changes_nothing(filled):
    filled.append(events.assign([0], "T"))
    filled.undo()
    before = seen(filled.labels())
    filled.append(events.checkpoint("first look"))
    assert seen(filled.labels()) == before
    assert filled.redoable() is not None
    assert describe(filled.events()[-1]) == "checkpoint: first look"


def test_undoing_a_delete_is_refused_when_the_name_was_given_again(filled):
    step = filled.append(events.delete("B"))
    filled.append(events.rename("T", "B"))
    with pytest.raises(ProjectError):
        filled.undo(step)


def test_what_undo_and_redo_would_do_is_told(filled):
    filled.append(events.assign([0, 1], "T"))
    assert describe(filled.undoable()) == "assign T to 2 cells"
    assert filled.redoable() is None
    filled.undo()
    assert describe(filled.redoable()) == "assign T to 2 cells"
    assert [event.undone for event in filled.events()] == [False, True, False]


def test_the_rows_of_one_event_can_be_read_back(filled):
    seq = filled.append(events.assign([7, 3], "T", reason="CD3 high"))
    event = filled.event(seq)
    assert (event.rows.tolist(), event.payload["reason"], event.actor) == (
        [3, 7],
        "CD3 high",
        "anna",
    )


def test_200_000_cells_are_assigned_at_once(tmp_path):
    n_obs = 500_000
    store = LabelStore.open(tmp_path, n_obs)
    rng = np.random.default_rng(0)
    store.append(events.import_labels(["a", "b"], rng.integers(-1, 2, n_obs)))
    store.labels()
    seconds = []
    for label in "abc":
        rows = rng.choice(n_obs, 200_000, replace=False)
        began = time.perf_counter()
        store.append(events.assign(rows, label))
        seconds.append(time.perf_counter() - began)
    assert store.labels().counts["c"] == 200_000
    assert min(seconds) < 0.5  # 20 ms here; the margin is for a busy machine
    store.close()


def test_what_somebody_else_changed_can_be_found_before_an_edit(tmp_path):
    store = LabelStore.open(tmp_path, N)
    mine = events.assign([3, 4], "mine")
    seen_seq = store.append(events.assign([1], "theirs"))
    store.refuse_stale(mine, seen_seq)
    store.append(events.assign([4], "theirs"))
    with pytest.raises(StaleEdit, match="1 of them yours too"):
        store.refuse_stale(mine, seen_seq)
    assert len(store.events()) == 2


def test_a_term_stays_with_its_label_through_a_rename_undo_and_a_look_at_the_file(filled):
    filled.append(events.terms({"B": "CL:0000236", "T": "unknown"}))
    filled.append(events.rename("B", "odd B"))
    assert filled.labels().terms == {"odd B": "CL:0000236", "T": "unknown"}
    filled.append(events.rename("odd B", "NK", term="CL:0000623"))
    assert filled.labels().terms["NK"] == "CL:0000623"
    filled.undo()
    assert filled.labels().terms["odd B"] == "CL:0000236"
    filled.undo()
    filled.undo()
    assert filled.labels().terms == {}


def test_new_labels_of_a_split_get_its_term(filled):
    rows, codes = np.arange(10), np.arange(10) % 2
    filled.append(events.split("B", ["B 1", "B 2"], rows, codes, term="CL:0000236"))
    assert filled.labels().terms == {"B 1": "CL:0000236", "B 2": "CL:0000236"}


def test_a_merge_keeps_the_term_of_its_target(filled):
    filled.append(events.terms({"B": "CL:0000236", "T": "CL:0000084"}))
    filled.append(events.merge("B", "T"))
    assert filled.labels().terms == {"T": "CL:0000084"}


@pytest.mark.parametrize("term", ["CL:1", "T cell", "GO:0000001", "CL:0000084\nx", "CL:٠٠٠٠٠٨٤"])
def test_what_is_no_term_is_refused(term):
    with pytest.raises(SettingInvalid, match="no term of the Cell Ontology"):
        events.terms({"B": term})
