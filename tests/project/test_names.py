"""Names have one spelling, and labels that look alike are one label."""

import numpy as np
import pytest

from scanvi_core.errors import SettingInvalid
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.replay.apply import plan
from scanvi_core.project.label_log.replay.state import Board, Label
from scanvi_core.project.names import clean_label

LOOK_LIKE_T_CELL = [
    pytest.param("T  cell", id="two blanks"),
    pytest.param(" T cell\t", id="blanks around it"),
    pytest.param("T\u00a0cell", id="no-break space"),
    pytest.param("T\u200b cell", id="zero width"),
    pytest.param("\ufeffT cell", id="byte-order mark"),
    pytest.param("Ｔ ｃｅｌｌ", id="full width"),
    pytest.param("T\u2003\ncell", id="em space and line end"),
]


@pytest.mark.parametrize("spelled", LOOK_LIKE_T_CELL)
def test_what_looks_alike_is_one_label(spelled):
    assert clean_label(spelled) == "T cell"
    board = Board(4)
    board.apply(plan(board, events.assign([0], "T cell")))
    board.apply(plan(board, events.assign([1], spelled)))
    assert board.state(2).active == ("T cell",) and board.codes.tolist() == [0, 0, -1, -1]


@pytest.mark.parametrize("spelled", LOOK_LIKE_T_CELL)
def test_a_label_of_an_older_log_is_known_by_its_one_spelling(spelled):
    board = Board(3)
    board.labels = [Label(spelled), Label("B cell")]
    board.codes[:2] = [0, 1]
    board.apply(plan(board, events.assign([2], "T cell")))
    assert board.codes.tolist() == [0, 1, 0]
    board.apply(plan(board, events.rename("T cell", "T cell")))
    assert board.state(2).active == ("T cell", "B cell")


def test_capitals_and_marks_that_mean_something_stay():
    assert clean_label("t cell") != clean_label("T cell")
    assert clean_label("γδ T") == "γδ T" and clean_label("CD4+ T/NK") == "CD4+ T/NK"


@pytest.mark.parametrize("nothing", ["", " \t", "\u200b", "\ufeff"])
def test_a_name_of_nothing_is_refused(nothing):
    with pytest.raises(SettingInvalid, match="empty"):
        clean_label(nothing)


def test_a_column_with_twins_gives_one_type():
    event = events.import_labels(["B cell", "B  cell", "T"], np.array([0, 1, 2]))
    assert event.payload["labels"] == ["B cell", "T"]
