"""Terms of the Cell Ontology by name: what is meant for sure, what is close, and how soon."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanvi_core.ontology import search, table
from scanvi_core.ontology.spelling import plain

BUDGET_S = 0.05  # of this thread: other processes are no fault of the search


@pytest.mark.parametrize(
    ("text", "name", "how"),
    [
        ("T cell", "T cell", search.NAME),
        ("T-cells", "T cell", search.NAME),
        ("t lymphocytes", "T cell", search.NAME),
        ("B", "B cell", search.NAME),
        ("γδ T cells", "gamma-delta T cell", search.NAME),
        ("nk cell", "natural killer cell", search.SYNONYM),
        ("NK", "natural killer cell", search.OURS),
        ("Tregs", "regulatory T cell", search.OURS),
        ("CD14+ Monocytes", "CD14-positive monocyte", search.NAME),
        ("CD14 Mono", "CD14-positive monocyte", search.OURS),
        ("naive_CD4_T", "naive thymus-derived CD4-positive, alpha-beta T cell", search.OURS),
        ("MAIT", "mucosal-associated invariant T cell", search.OURS),
        ("CL:0000623", "natural killer cell", search.NAME),
    ],
)
def test_a_name_means_its_term(text, name, how):
    found = search.exact(text)
    assert (found.name, found.how) == (name, how)
    assert search.search(text)[0] == found


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("cDC1", "CD141-positive myeloid dendritic cell"),  # of human only
        ("HSC", "hematopoietic stem cell"),  # in livers another one
        ("alpha cell", "pancreatic A cell"),  # the ontology's own is of the mouse's retina
        ("CD8 TEM_2", "effector memory CD8-positive, alpha-beta T cell"),
        ("Oligo", "oligodendrocyte"),
        ("endothelial, lymphatic", "endothelial cell of lymphatic vessel"),
    ],
)
def test_what_is_not_meant_for_sure_is_close(text, first):
    assert search.exact(text) is None
    best = search.search(text)[0]
    assert (best.name, best.exact) == (first, False)


@pytest.mark.parametrize(
    "text",
    ["", " ", "...", "cluster 3", "7", "CD4", "CL:9999999", "CL:0000002", "\0", "<>", "x" * 9999],
)
def test_what_names_no_type_means_none(text):
    assert search.exact(text) is None


def test_numbers_and_unknown_ids_find_nothing():
    assert not search.search("7") and not search.search("CL:9999999") and not search.search("  ")


def test_a_word_with_a_number_is_no_beginning_of_another():
    found = search.search("CD4", n=500)
    assert found and all("cd4" in _words(each.id) for each in found)


def _words(key):
    each = table.terms()[key]
    return {word for name in (each.name, *each.synonyms) for word in plain(name).split()}


def test_a_term_that_was_replaced_is_the_new_one():
    old, new = next(iter(table.replaced().items()))
    assert search.term(old).id == new
    assert search.exact(old).id == new


def test_every_name_of_the_ontology_finds_its_term_within_the_budget():
    slowest, lost = 0.0, []
    search.search("T cell")  # the table is read once
    for each in table.terms().values():
        started = time.thread_time()
        found = search.search(each.name)
        slowest = max(slowest, time.thread_time() - started)
        if found[0].id != each.id:
            lost.append(each.name)
    assert slowest < BUDGET_S
    assert len(lost) <= 3, lost  # names that differ in spelling alone


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_searched(text):
    found = search.search(text)
    assert len({each.id for each in found}) == len(found) <= search.MOST_SHOWN
