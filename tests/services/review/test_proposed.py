"""Which answer a card proposes, and between what it is undecided."""

from dataclasses import replace

import pandas as pd
import pytest

from scanvi_core.annotation.review.asked import NOVEL, UNSURE, Asked
from scanvi_core.services.opinions import proposals
from scanvi_core.services.review import evidence, proposed, queue
from scanvi_core.services.review.evidence import Evidence
from scanvi_core.services.review.proposed import NAME, UNKNOWN, Proposal
from scanvi_core.services.review.queue import Candidate
from scanvi_core.services.workspace import workspace

NONE = pd.DataFrame()


def saying(favors="", leans=""):
    return Evidence(NONE, "", favors, NONE, NONE, NONE, NONE, leans or favors)


def candidates(*probabilities):
    return [Candidate(name, p) for name, p in zip("ABCD", probabilities, strict=False)]


NEARBY = "genes and labeled cells nearby"
SURE, CLOSE = (0.9, 0.05, 0.05), (0.32, 0.31, 0.2, 0.17)


@pytest.mark.parametrize(
    ("probabilities", "shown", "said", "answer", "between"),
    [
        (SURE, saying(), "", "A", ()),
        (SURE, saying(leans="A"), "A", "A", ()),
        (CLOSE, saying(), "", "", ("A", "B")),  # 32 % against 31 %
        (CLOSE, saying(leans="C"), "", "", ("A", "C")),  # probably C
        (CLOSE, saying(leans="A"), "", "", ("A", "B")),
        (CLOSE, saying("B"), "", "B", ()),  # the genes and neighbors are clear
        (CLOSE, saying("B"), "B", "B", ()),
        (CLOSE, saying("B"), "C", "", ("B", "C")),  # but an opinion says otherwise
        (CLOSE, saying(), "E", "", ("A", "E")),  # a type the model does not offer
        (SURE, saying("B"), "", "", ("A", "B")),  # clear signs of two types
        (SURE, saying(leans="B"), "", "", ("A", "B")),
        (SURE, saying(), "B", "", ("A", "B")),
        ((2 / 3, 1 / 3), saying(), "", "A", ()),
        ((0.66, 0.34), saying(), "", "", ("A", "B")),
        ((0.43, 0.12, 0.11), saying(), "", "A", ()),  # many types share the rest
        ((0.39, 0.12, 0.11), saying(), "", "", ("A", "B")),
        ((0.3,), saying(), "", "A", ()),  # there is no other
    ],
)
def test_an_answer_is_proposed_where_it_is_clearly_ahead(
    probabilities, shown, said, answer, between
):
    found = proposed.weighed(candidates(*probabilities), shown, said)
    assert (found.answer, found.between) == (answer, between)
    assert found.another == ("E" if said == "E" else "")


def test_novel_and_technical_cells_are_no_question_between_types(trained, monkeypatch):
    opened, item = workspace(trained), queue.queue(workspace(trained))[0]
    monkeypatch.setattr(proposals, "proposed", lambda *_: (("Else", 0.9),))
    shown = replace(evidence.of(opened, item), favors="")
    novel = proposed.of(opened, replace(item, kind="novel"), shown)
    assert novel == Proposal(NAME, another="Else")
    assert proposed.of(opened, replace(item, kind="technical"), shown).answer == UNKNOWN
    usual = replace(item, asked=Asked(UNSURE, 3, 9))
    assert proposed.of(opened, usual, shown).between[1] == "Else"


def test_however_sure_the_model_is_novel_cells_may_be_of_no_type_it_knows(trained):
    opened, item = workspace(trained), queue.queue(workspace(trained))[0]
    novel = replace(item, asked=Asked(NOVEL, 9, 9), candidates=tuple(candidates(0.99, 0.01)))
    assert proposed.of(opened, novel, saying()) == Proposal(NAME)
    assert proposed.of(opened, novel, saying(leans="A")) == Proposal(NAME)
    found = proposed.of(opened, novel, saying("A"))
    assert (found.answer, found.between) == ("", ("A", NAME))
    assert found.sides.startswith("the model, genes and labeled cells nearby say A, but they look")
    unsure = replace(novel, candidates=tuple(candidates(0.4, 0.3)))
    assert proposed.of(opened, unsure, saying("A")).sides.startswith("genes and labeled cells")


@pytest.mark.parametrize(
    ("probabilities", "shown", "said", "sides"),
    [
        (SURE, saying("B"), "", f"the model says A, {NEARBY} say B"),
        (SURE, saying(), "B", "the model says A, other tools say B"),
        (CLOSE, saying(leans="C"), "", f"the model is not sure, {NEARBY} lean to C"),
        (CLOSE, saying(), "", proposed.NOTHING),
    ],
)  # fmt: skip
def test_an_undecided_card_says_what_speaks_for_whom(probabilities, shown, said, sides):
    assert proposed.weighed(candidates(*probabilities), shown, said).sides == sides
