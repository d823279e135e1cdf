"""What opinions are judged by, and what a card says of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from scanvi_core.project import opinions
from scanvi_core.project.opinions import Opinion
from scanvi_core.services.labels import edit
from scanvi_core.services.opinions import evidence, proposals, reliability
from scanvi_core.services.opinions.from_columns import ELSEWHERE, TOOL, YES
from scanvi_core.services.workspace import workspace


@pytest.fixture
def opened(project):
    opened = workspace(project)
    edit.start_empty(opened)
    return opened


def says(opened, labels, names=("B", "T"), *, tool="CellTypist", elsewhere=True, meant=None):
    """Keep an opinion that says so of the first cells, and nothing of the others."""
    codes = np.full(opened.dataset.n_obs, -1, np.int32)
    codes[: len(labels)] = labels
    scores = np.full(opened.dataset.n_obs, np.nan, np.float32)
    about = {TOOL: tool} | ({ELSEWHERE: YES} if elsewhere else {})
    meant = {name: name for name in names} if meant is None else meant
    made = Opinion(f"{tool} (x)", names, codes, scores, "column", meant, about)
    return opinions.keep(opened.project, made)


def test_a_decision_counts_once_however_many_cells_it_named(opened):
    one = says(opened, [0] * 9 + [1] * 6)
    edit.name_cells(opened, np.arange(9), "B", "review")
    edit.name_cells(opened, np.arange(9, 12), "T", "review")
    edit.name_cells(opened, np.arange(12, 15), "B", "review")
    found = reliability.tracks(opened, one)
    assert (found["B"].right_decisions, found["B"].decisions) == (1, 1)
    assert (found["T"].right_decisions, found["T"].decisions) == (1, 2)
    assert found["T"].low < found["T"].right < found["T"].high
    edit.undo(opened)
    assert reliability.tracks(opened, one)["T"].decisions == 1


def test_unknown_is_no_judgment(opened):
    one = says(opened, [0] * 4)
    edit.name_cells(opened, np.arange(4), "unknown", "review")
    assert reliability.tracks(opened, one)["B"].decisions == 0


def test_labels_of_the_file_judge_only_what_learned_elsewhere_and_is_no_copy_of_them(project):
    opened = workspace(project)
    edit.use_column(opened, "expert_label", set())
    state = opened.labels()
    own, elsewhere = (says(opened, state.codes, state.names, elsewhere=e) for e in (False, True))
    noisy = state.codes.copy()
    noisy[::10] = (noisy[::10] + 1) % len(state.names)
    honest = says(opened, noisy, state.names)
    labels = evidence.known(opened)
    judged = [evidence.judged_by(opened, one, labels).sum() for one in (own, elsewhere, honest)]
    assert judged == [0, 0, (state.codes >= 0).sum()]
    assert all(0 < track.right < 1 for track in reliability.tracks(opened, honest).values())
    visible = evidence.known(opened, visible=True)
    assert state.holdout.any() and (visible.codes[state.holdout] < 0).all()


def test_a_card_says_in_a_line_what_each_says_and_how_often_that_was_right(opened):
    says(opened, [0] * 7 + [1] * 2 + [0] * 3)
    says(opened, [0] * 20, ("Tcm",), tool="Azimuth", meant={})
    edit.name_cells(opened, np.arange(9, 12), "B", "review")
    first, second = reliability.words(opened, np.arange(9))
    assert first.sentence == (
        "CellTypist says B (7 of 9 cells; right in 1 of your 1 decision where it said so)"
    )
    assert second.sentence == "Azimuth says “Tcm” (9 of 9 cells), which means no type here yet"
    assert reliability.words(opened, np.arange(600, 610)) == []


def test_all_together_propose_and_labels_tell_whom_to_believe(opened):
    says(opened, [0] * 50 + [1] * 50)
    says(opened, [1] * 50 + [0] * 50, tool="Azimuth")  # the other way round
    assert proposals.proposed(opened, np.arange(600, 610)) == ()
    for at, name in ((0, "B"), (9, "B"), (60, "T"), (69, "T")):
        edit.name_cells(opened, np.arange(at, at + 3), name, "review")
    (name, share), *_ = proposals.proposed(opened, np.arange(20, 30))
    assert name == "B" and share > 0.8
    assert proposals.proposed(opened, np.arange(80, 90))[0][0] == "T"


@pytest.mark.parametrize(
    ("share", "whose"),
    [([0.8, 0.2, 0.0], "all"), ([0.45, 0.35, 0.2], "one"), ([0.2, 0.1, 0.7], "one")],
)
def test_all_together_offer_only_what_is_clear_and_one_of_them_offers(
    opened, monkeypatch, share, whose
):
    for tool in ("CellTypist", "Azimuth"):
        says(opened, [0] * 9 + [1] * 3, ("B", "T", "Mk"), tool=tool)
    joint = SimpleNamespace(of=lambda rows: np.tile(share, (len(rows), 1)))
    spoken = np.ones(opened.dataset.n_obs, bool)
    found = proposals.Together(("B", "T", "Mk"), joint, spoken)
    monkeypatch.setattr(proposals, "together", lambda _: found)
    (offers,) = proposals.of_groups(opened, [np.arange(12)])
    own = [("B", "CellTypist (x)"), ("B", "Azimuth (x)")]
    all_say = [("B", proposals.TOGETHER)] if whose == "all" else []
    assert [(offer.name, offer.whose) for offer in offers] == all_say + own
    assert proposals.another(opened, np.arange(12), ["T"]) == ("B" if whose == "all" else "")


def test_of_very_many_types_nothing_is_said_together(opened):
    names = tuple(f"T{i}" for i in range(proposals.MOST_TYPES))
    for tool in ("CellTypist", "Azimuth"):
        says(opened, [0] * 9, names, tool=tool)
    assert proposals.together(opened) is not None
    says(opened, [0] * 9, ("one more",), tool="Garnett")
    assert proposals.together(opened) is None
