"""Comments, proposed names and votes: who says them, how much, what is read of damaged ones."""

import json
from collections import Counter

import numpy as np
import pytest

from scanvi_core import config
from scanvi_core.errors import ProjectError, ReadOnly, ScanviError, SettingInvalid
from scanvi_core.project import remarks as stored
from scanvi_core.project.access import Person
from scanvi_core.project.folder import open_project
from scanvi_core.services import request_limits, workspace
from scanvi_core.services.explore import selection
from scanvi_core.services.labels import edit
from scanvi_core.services.projects import library, status
from scanvi_core.services.viewing import remarks
from scanvi_core.services.viewing.remarks import Subject
from tests.services.viewing.conftest import ANNA, VERA

BOB = "bob@lab.example"


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Let people speak as often as they like."""
    buckets = request_limits.Buckets(10_000, 1.0)
    monkeypatch.setitem(request_limits._buckets, request_limits.REMARK, buckets)


@pytest.fixture
def opened(linked, visits):
    """A project that Vera looks at by its link."""
    visits(linked.token, Person(VERA))
    return workspace.workspace(linked.project)


def file_of(opened):
    return opened.project.root / stored.FILE


def dendritic(opened):
    return next(one for one in remarks.subjects(opened) if one.name == "Dendritic")


def texts(opened):
    return [item.text for item in remarks.said(opened).items]


def test_a_comment_is_kept_with_who_said_it_about_what(opened, linked, visits):
    assert remarks.said(opened) == remarks.Remarks()
    remarks.comment(opened, dendritic(opened), "  Some are\npDC ", name="Anna the owner")
    visits(linked.token)
    remarks.comment(opened, dendritic(opened), "Yes", name=" Carl ")
    second, first = remarks.said(opened).items
    assert (first.subject, first.text, first.by, first.signed_in) == (
        Subject("type", "Dendritic"), "Some are pDC", VERA, True,
    )  # fmt: skip
    assert (second.by, second.signed_in, second.is_proposal) == ("Carl", False, False)


def test_nothing_said_changes_a_label(opened, asks):
    before = opened.labels().seq
    remarks.propose(opened, dendritic(opened), "mDC")
    remarks.vote(opened, remarks.said(opened).items[0].id, 1)
    asks(Person(ANNA))
    remarks.mark_done(opened, remarks.said(opened).items[0].id)
    assert opened.labels().seq == before


def test_each_person_has_one_vote_and_may_change_it(opened, linked, visits):
    remarks.propose(opened, dendritic(opened), "mDC")
    [proposal] = remarks.said(opened).items

    def votes(value, person=None, name=""):
        visits(linked.token, person)
        remarks.vote(opened, proposal.id, value, name)
        seen = remarks.said(opened).items[0]
        assert remarks.own_vote(seen, name) == value
        return seen.n_votes(1), seen.n_votes(-1)

    assert votes(1, Person(VERA)) == (1, 0)
    assert votes(1, Person(VERA)) == (1, 0)
    assert votes(-1, Person(VERA), "another name") == (0, 1)
    assert votes(1, Person(BOB)) == (1, 1)
    assert votes(1, name=VERA) == (2, 1)  # who types a name is nobody who signed in
    assert votes(-1, name=VERA.upper()) == (1, 2)
    assert votes(0, name=VERA) == (1, 1)
    assert remarks.said(opened).n_said.total() == 6  # who proposes is for it; the second is none


def test_votes_are_for_proposals_and_for_or_against(opened):
    remarks.comment(opened, dendritic(opened), "no proposal")
    remarks.propose(opened, dendritic(opened), "mDC")
    proposal, comment = remarks.said(opened).items
    for what, value in ((comment.id, 1), (proposal.id, 2), (proposal.id, -7), ("0" * 16, 1)):
        with pytest.raises(SettingInvalid, match="no such vote"):
            remarks.vote(opened, what, value)


def test_who_may_change_the_project_marks_as_done_and_opens_again(opened, asks):
    remarks.comment(opened, dendritic(opened), "look")
    asks(Person(ANNA))
    [item] = remarks.said(opened).items
    assert remarks.said(opened).n_open == 1
    remarks.mark_done(opened, item.id)
    assert remarks.said(opened).n_open == 0 and remarks.said(opened).items[0].done
    remarks.mark_done(opened, item.id, done=False)
    assert remarks.said(opened).n_open == 1
    with pytest.raises(SettingInvalid):
        remarks.mark_done(opened, "f" * 16)


def test_types_groups_and_clusters_are_spoken_of_and_nothing_else(opened, asks, linked, visits):
    asks(Person(ANNA))
    edit.set_parents(opened, {"Dendritic": ("Myeloid",)})
    visits(linked.token, Person(VERA))
    known = remarks.subjects(opened)
    assert Subject("group", "Myeloid") in known and Subject("type", "Dendritic") in known
    for wrong in (Subject("type", "Myeloid"), Subject("group", "x"), Subject("else", "Dendritic"),
                  Subject("cluster", "cluster 99"), Subject("type", "Dendritic", "YWJj"),
                  Subject("cells", "5 cells"), Subject("cells", "5 cells", "no base64"),
                  Subject("cells", "5 cells", "YWJj")):  # fmt: skip
        with pytest.raises(SettingInvalid):
            remarks.comment(opened, wrong, "text")
    assert not file_of(opened).exists()


def test_picked_cells_are_found_again(opened):
    mask = np.zeros(opened.dataset.n_obs, dtype=bool)
    mask[5:60:3] = True
    selection.pick(opened, "tab", mask)
    about = remarks.picked(opened, selection.selection(opened, "tab"))
    assert about.name.startswith("19 cells: ")
    remarks.comment(opened, about, "these")
    np.testing.assert_array_equal(
        remarks.cells_of(opened, remarks.said(opened).items[0].subject), mask
    )
    selection.clear(opened, "tab")
    with pytest.raises(SettingInvalid, match="No cells"):
        remarks.picked(opened, selection.selection(opened, "tab"))


def test_too_many_scattered_cells_are_refused(opened, monkeypatch):
    monkeypatch.setattr(stored, "CELLS_BYTES", 16)
    mask = np.random.default_rng(0).random(opened.dataset.n_obs) < 0.5
    selection.pick(opened, "tab", mask)
    with pytest.raises(SettingInvalid, match="too many"):
        remarks.picked(opened, selection.selection(opened, "tab"))


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u202e", "x" * (config.COMMENT_LENGTH + 1)])
def test_empty_and_long_comments_are_refused(opened, text):
    with pytest.raises(SettingInvalid, match="comment"):
        remarks.comment(opened, dendritic(opened), text)
    with pytest.raises(SettingInvalid):
        remarks.propose(opened, dendritic(opened), text)


def test_who_gives_no_name_speaks_unsigned_and_has_no_vote(opened, linked, visits):
    visits(linked.token)
    remarks.comment(opened, dendritic(opened), "text", "  ")
    remarks.propose(opened, dendritic(opened), "mDC")
    assert [(item.by, item.signed_in) for item in remarks.said(opened).items] == [("", False)] * 2
    proposal = remarks.said(opened).items[0]
    with pytest.raises(SettingInvalid, match="vote needs a name"):
        remarks.vote(opened, proposal.id, 1, " ")
    assert remarks.said(opened).find(proposal.id).votes == {}


def test_a_name_that_was_typed_has_a_most_of_characters(opened, linked, visits):
    visits(linked.token)
    remarks.comment(opened, dendritic(opened), "text", "x" * 60)
    for name in ("x" * 61, "x" * 201):
        with pytest.raises(SettingInvalid, match="name"):
            remarks.comment(opened, dendritic(opened), "text", name)


def test_the_whole_data_set_is_spoken_of_and_gets_no_name(opened):
    remarks.comment(opened, remarks.ALL_CELLS, "well done")
    with pytest.raises(SettingInvalid, match="part of the cells"):
        remarks.propose(opened, remarks.ALL_CELLS, "blood")
    [item] = remarks.said(opened).items
    assert (item.subject, item.text) == (remarks.ALL_CELLS, "well done")


def test_a_proposed_name_is_taken_as_one_step_that_can_be_undone(opened, asks):
    remarks.propose(opened, dendritic(opened), "mDC")
    other = next(name for name in opened.labels().active if name != "Dendritic")
    remarks.propose(opened, dendritic(opened), other)
    remarks.comment(opened, dendritic(opened), "look")
    comment, merge, rename = remarks.said(opened).items
    ways = [remarks.way_to_take(opened, item) for item in (comment, merge, rename)]
    assert ways == ["", "merge", "rename"]
    before = opened.labels()
    with pytest.raises(ReadOnly):
        remarks.take_name(opened, rename.id)  # Vera looks only
    asks(Person(ANNA))
    remarks.take_name(opened, rename.id)
    assert "mDC" in opened.labels().active and "Dendritic" not in opened.labels().active
    assert remarks.said(opened).find(rename.id).done
    assert remarks.way_to_take(opened, remarks.said(opened).find(merge.id)) == ""  # it is gone
    with pytest.raises(SettingInvalid, match="no such type"):
        remarks.take_name(opened, merge.id)
    assert opened.labels().seq == before.seq + 1
    edit.undo(opened)
    assert opened.labels().active == before.active


def test_the_table_of_types_counts_what_is_not_done(opened, asks):
    assert "remarks" not in remarks.types_with_remarks(opened)
    remarks.propose(opened, dendritic(opened), "mDC")
    remarks.comment(opened, dendritic(opened), "look")
    remarks.comment(opened, remarks.ALL_CELLS, "all")
    table = remarks.types_with_remarks(opened).set_index("type")["remarks"]
    assert table["Dendritic"] == 2 and table.drop("Dendritic").isna().all()
    asks(Person(ANNA))
    assert status.of(opened.id).n_said == library.listing()[0].n_said == 3
    remarks.mark_done(opened, remarks.said(opened).items[1].id)
    table = remarks.types_with_remarks(opened).set_index("type")["remarks"]
    assert table["Dendritic"] == 1 and status.of(opened.id).n_said == 2


HOSTILE = [
    "<script>alert(1)</script>", "**bold** [a](javascript:x) ![i](http://x/y.png)",
    "$$x$$ :smile:",
    '{"what": "done"}', '"}\n{"id": "x"', "a\u2028b\x85c\x0bd\x1ce", "\u202ekcab", "\0nul",
    "ﷺ" * 50, "👩‍🔬" * 20, "=cmd|' /C calc'!A0", "x" * config.COMMENT_LENGTH, "é" * 1000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_comment_is_one_line_of_the_file_and_one_on_the_page(opened, text):
    remarks.comment(opened, dendritic(opened), "before")
    remarks.comment(opened, dendritic(opened), text)
    remarks.comment(opened, dendritic(opened), "after")
    said = remarks.said(opened)
    assert said.n_unreadable == 0 and len(said.items) == 3 and said.n_open == 3
    shown = said.items[1].text
    assert len(shown.splitlines()) == 1 and "\u202e" not in shown and "\0" not in shown


def test_half_a_letter_is_refused_in_a_sentence(opened):
    with pytest.raises(ScanviError):
        remarks.comment(opened, dendritic(opened), "half \ud800")
    assert not texts(opened)


def test_there_is_a_most_for_each_person_and_for_the_project(opened, linked, visits, monkeypatch):
    monkeypatch.setattr(config, "MOST_REMARKS_EACH", 2)
    monkeypatch.setattr(config, "MOST_REMARKS", 3)
    say = remarks.comment
    say(opened, dendritic(opened), "1")
    remarks.propose(opened, dendritic(opened), "2")
    for act in (
        lambda: say(opened, dendritic(opened), "3"),
        lambda: remarks.vote(opened, remarks.said(opened).items[0].id, -1),
    ):
        with pytest.raises(ProjectError, match="2 times"):
            act()
    visits(linked.token, Person(BOB))
    say(opened, dendritic(opened), "4")
    with pytest.raises(ProjectError, match="No more can be said"):
        say(opened, dendritic(opened), "5")
    assert texts(opened) == ["4", "2", "1"]


def test_what_was_said_to_the_most_can_still_be_done(opened, asks, monkeypatch):
    remarks.comment(opened, dendritic(opened), "1")
    monkeypatch.setattr(config, "MOST_REMARKS", 1)
    asks(Person(ANNA))
    remarks.mark_done(opened, remarks.said(opened).items[0].id)
    assert remarks.said(opened).n_open == 0


def test_the_file_has_a_most_of_bytes(opened, monkeypatch):
    remarks.comment(opened, dendritic(opened), "1")
    monkeypatch.setattr(config, "REMARKS_BYTES", file_of(opened).stat().st_size + 20)
    with pytest.raises(ProjectError, match="No more can be said"):
        remarks.comment(opened, dendritic(opened), "2")
    assert texts(opened) == ["1"]


def test_who_speaks_too_fast_waits_and_nobody_else_does(opened, linked, visits, monkeypatch):
    buckets = request_limits.Buckets(2, 1000.0)
    monkeypatch.setitem(request_limits._buckets, request_limits.REMARK, buckets)

    def speak(person, name=""):
        visits(linked.token, person)
        remarks.comment(opened, dendritic(opened), "text", name)

    for person, names in ((Person(VERA), ("", "")), (None, ("one", "two"))):
        for name in names:
            speak(person, name)
        with pytest.raises(request_limits.TooOften):
            speak(person, "three")


GOOD = {"id": "0123456789abcdef", "what": "comment", "at": "2026-01-01T00:00:00+00:00", "by": "x",
        "signed_in": True, "kind": "type", "about": "Dendritic", "text": "good"}  # fmt: skip
DAMAGED = {
    "no JSON": b"{", "no table": b"[]", "half": json.dumps(GOOD).encode()[:60],
    "bytes": b"\xff\xfe\0",
    "deep": b"[" * 100_000,
    **{
        f"{key} {value!r:.12}": json.dumps(GOOD | {"id": "f" * 16} | {key: value}).encode()
        for key, value in [
            ("id", 3), ("id", "../../etc"), ("what", "shell"), ("at", "never"), ("by", None),
            ("by", "x" * 201), ("signed_in", "yes"), ("kind", "file"), ("about", None),
            ("text", "x" * 1001), ("text", ["x"]), ("cells", "<b>"), ("what", "vote"),
            ("what", "done"),
        ]
    },
    "no text": json.dumps({k: GOOD[k] for k in GOOD if k != "text"} | {"id": "e" * 16}).encode(),
    "a vote on a comment": json.dumps(
        GOOD | {"what": "vote", "on": GOOD["id"], "value": 1, "id": "d" * 16}
    ).encode(),
    "twice": json.dumps(GOOD | {"text": "bad"}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_hides_no_other(opened, line):
    good = json.dumps(GOOD).encode()
    file_of(opened).write_bytes(good + b"\n" + line)
    remarks.comment(opened, dendritic(opened), "after it")
    said = remarks.said(opened)
    assert [item.text for item in said.items] == ["after it", "good"]
    assert said.n_unreadable == 1 and said.n_said == Counter({(True, "x"): 1, (True, VERA): 1})


def test_cells_of_other_data_are_not_shown(opened):
    file_of(opened).write_text(json.dumps(GOOD | {"kind": "cells", "cells": "c5z////w=="}))
    [item] = remarks.said(opened).items
    assert remarks.cells_of(opened, item.subject) is None


def test_a_disk_that_refuses_is_told_in_a_sentence(opened):
    file_of(opened).mkdir()
    with pytest.raises(ProjectError):
        remarks.comment(opened, dendritic(opened), "text")


def test_what_was_said_stays_here(opened, linked, asks, quick):
    remarks.comment(opened, dendritic(opened), "between us")
    asks(Person(ANNA))
    copy = library.duplicate(linked.project)
    with library.save(linked.project).open("rb") as packed:
        arrived = library.take_in(packed)
    for project in (copy, arrived):
        assert not (open_project(project).root / stored.FILE).exists()
