"""Batches whose authors had other names for the same cells."""

import numpy as np
import pytest

from scanvi_core.services.labels import edit
from scanvi_core.services.labels.names import vocabularies
from scanvi_core.services.labels.names.vocabularies import PART, SAME
from scanvi_core.services.workspace import set_batch_key, workspace

T_CELLS = ("CD4+/CD25 T Reg", "CD8+ Cytotoxic T", "CD8+/CD45RA+ Naive Cytotoxic")


@pytest.fixture
def two_authors(labeled):
    """In half of the batches there are just "T cell", and B cells are "B lymphs"."""
    opened = workspace(labeled)
    truth = opened.dataset.values("cell_type").astype(str).to_numpy()
    set_batch_key(opened, "batch")
    second = opened.batches("batch").index % 2 == 1
    edit.name_cells(opened, np.flatnonzero(second & np.isin(truth, T_CELLS)), "T cell", "lasso")
    edit.name_cells(opened, np.flatnonzero(second & (truth == "CD19+ B")), "B lymphs", "lasso")
    edit.name_cells(opened, np.flatnonzero(~second & (truth == "CD19+ B")), "CD19+ B", "lasso")
    for name in T_CELLS:
        edit.name_cells(opened, np.flatnonzero(~second & (truth == name)), name, "lasso")
    return opened


def test_nothing_is_asked_where_batches_share_their_names(labeled):
    opened = workspace(labeled)
    assert not vocabularies.differ(opened)
    set_batch_key(opened, "batch")
    assert not vocabularies.differ(opened)


def test_what_is_the_same_and_what_is_a_part_is_proposed_and_taken(two_authors):
    opened = two_authors
    assert vocabularies.differ(opened)
    found = {(line.name, line.how, line.other): line for line in vocabularies.lines(opened)}
    b_cells = next(line for line in found.values() if line.how == SAME and "B" in line.name)
    assert {b_cells.name, b_cells.other} == {"CD19+ B", "B lymphs"}
    assert not b_cells.is_sure  # the names do not say so
    assert min(b_cells.there, b_cells.back) > 0.8 and not b_cells.why
    parts = {name for name, how, other in found if how == PART and other == "T cell"}
    assert parts >= {"CD4+/CD25 T Reg", "CD8+ Cytotoxic T"}
    before = opened.labels()
    vocabularies.take(opened, found.values())
    after = opened.labels()
    assert b_cells.name not in after.active
    n_b = sum(before.counts[name] for name in ("CD19+ B", "B lymphs"))
    assert after.counts[b_cells.other] == n_b
    assert all(after.parents[name] == ("T cell",) for name in parts)
    assert not vocabularies.lines(opened)
    edit.undo(opened)
    edit.undo(opened)
    assert opened.labels().counts == before.counts and opened.labels().parents == before.parents


def test_names_that_were_told_apart_are_not_asked_again(two_authors):
    lines = vocabularies.lines(two_authors)
    vocabularies.tell_apart(two_authors, lines[:1])
    assert vocabularies.lines(two_authors) == lines[1:]
    vocabularies.tell_apart(two_authors, lines[1:])
    assert vocabularies.lines(two_authors) == ()
    assert two_authors.labels().counts["B lymphs"]  # nothing was merged


def test_the_ontology_and_the_spelling_speak_too(two_authors):
    opened = two_authors
    edit.rename(opened, "B lymphs", "Marginal thing 1")  # it has no term
    edit.rename(opened, "CD19+ B", "marginal things 1")
    alike = next(line for line in vocabularies.lines(opened) if "hing" in line.name)
    assert (alike.how, alike.why, alike.is_sure) == (SAME, "written alike", True)
    edit.rename(opened, "Marginal thing 1", "B cell")
    edit.rename(opened, "marginal things 1", "B cells")
    edit.rename(opened, "CD4+/CD25 T Reg", "regulatory T cell")
    found = {frozenset((line.name, line.other)): line for line in vocabularies.lines(opened)}
    same = found[frozenset(("B cell", "B cells"))]
    assert same.how == SAME and same.is_sure and same.why == "both are CL:0000236"
    part = found[frozenset(("regulatory T cell", "T cell"))]
    assert (part.how, part.name) == (PART, "regulatory T cell")
    assert part.why == "CL:0000815 is a CL:0000084"


def test_what_predictions_speak_against_is_shown_and_not_ticked(two_authors):
    opened = two_authors
    edit.rename(opened, "CD19+ B", "monocytes")  # its cells are B cells
    truth = opened.dataset.values("cell_type").astype(str).to_numpy() == "CD14+ Monocyte"
    second = opened.batches("batch").index % 2 == 1
    edit.name_cells(opened, np.flatnonzero(truth & second), "monocyte", "lasso")
    edit.clear_cells(opened, np.flatnonzero(truth & ~second), "lasso")
    pairs = {frozenset((line.name, line.other)): line for line in vocabularies.lines(opened)}
    doubtful = pairs[frozenset(("monocytes", "monocyte"))]
    assert doubtful.why and not doubtful.is_sure
