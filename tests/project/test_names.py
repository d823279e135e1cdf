"""Names have one spelling, and labels that look alike are one label."""

import numpy as np
import pytest

from pages.ui import text
from scanvi_core import keys
from scanvi_core.cli import output
from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.replay.apply import plan
from scanvi_core.project.label_log.replay.state import Board, Label
from scanvi_core.project.label_log.storage.signing import BROUGHT_AT, BROUGHT_BY, CLAIMED, VIA
from scanvi_core.project.label_log.store import LabelStore
from scanvi_core.project.locks import this_user
from scanvi_core.project.names import clean_label
from scanvi_core.services.labels import provenance

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


BROKEN = "ann\nverified by\r\u2028boss\x00\x1b[2J\u202e@lab"
WHOLE = "ann verified by boss[2J@lab"


def test_a_name_is_shown_in_one_line_wherever_it_is_from(tmp_path):
    event = events.Event(
        "assign", {"labels": ["T"], "n_cells": 1}, actor=BROKEN, time=BROKEN, proof=CLAIMED,
        origin={BROUGHT_BY: BROKEN, BROUGHT_AT: BROKEN, VIA: [[BROKEN, BROKEN]]},
    )  # fmt: skip
    said = [keys.one_line(BROKEN), provenance.in_short(event), provenance.in_full(event)]
    for kind, field in (("note", "text"), ("checkpoint", "name"), ("combine", "with")):
        said.append(events.describe(events.Event(kind, {field: BROKEN, "n_cells": 1})))
    assert all(WHOLE in text and len(text.splitlines()) == 1 for text in said)
    assert all(text.isprintable() for text in said)


def test_the_log_gives_names_in_one_line_and_keeps_what_was_written(tmp_path, monkeypatch):
    store = LabelStore.open(tmp_path, 4)
    store.append(events.Event("create", {"labels": ["T"], "colour": ""}, actor=BROKEN))
    store.append(events.assign([0], "T"))
    assert store.events()[0].actor == WHOLE
    assert store.records()[0].actor == BROKEN  # signed as it is
    with pytest.raises(ProjectError) as caught:
        store.append(events.assign([0], "T"), expected_seq=0)
    assert len(caught.value.message.splitlines()) == 1
    store.close()
    monkeypatch.setenv("SCANVI_USER", BROKEN.replace("\x00", ""))
    assert this_user() == WHOLE


def test_pages_and_commands_show_a_name_in_one_line(capsys):
    assert text.md(BROKEN).replace("\\", "").replace("\u2060", "") == WHOLE
    assert text.plain(BROKEN) == WHOLE
    output.print_summary({"warnings": [BROKEN]}, as_json=False)
    assert capsys.readouterr().out == f"warnings: \n  - {WHOLE}\n"
