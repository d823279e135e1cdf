"""Names of others: what is the same here, and what is left to the reader."""

import pytest

from scanvi_core.services.labels.names.names_table import SYNONYMS, suggest_names
from scanvi_core.services.labels.names.near_names import plain_name

TYPES = ("CD14 Mono", "CD16 Mono", "B", "B Activated", "DC", "pDC", "NK", "CD4 Naive T", "CD8 T")


def meant(name, types=TYPES, **more):
    lines = suggest_names([name], types, **more)
    return (lines[0].here, lines[0].how) if lines else None


@pytest.mark.parametrize(
    ("name", "here", "how"),
    [
        ("DC", "DC", "exact"), ("B-cells", "B", "spelling"), ("nk cells", "NK", "spelling"),
        ("naive CD4 T cells", "CD4 Naive T", "spelling"),
        ("CD4 Naïve T", "CD4 Naive T", "spelling"),
        ("Classical monocytes", "CD14 Mono", "synonym"),
        ("FCGR3A+ Monocytes", "CD16 Mono", "synonym"),
        ("Plasmacytoid dendritic cells", "pDC", "synonym"),
        ("natural killer cell", "NK", "synonym"), ("Cytotoxic T cells", "CD8 T", "synonym"),
    ],
)  # fmt: skip
def test_a_name_is_the_same_in_another_spelling_or_a_synonym(name, here, how):
    assert meant(name) == (here, how)


@pytest.mark.parametrize(
    "name",
    ["Monocytes", "CD15 Mono", "CD4 Memory T", "T cells", "CD14 DC", "Plasma", "Activated", "p"],
)
def test_a_broader_or_another_name_means_nothing_here(name):
    assert meant(name) == ("", "")


def test_a_name_without_a_type_becomes_one_where_there_are_none_yet():
    assert meant("Plasma", keep=True) == ("Plasma", "as it says")
    assert meant("b cells", keep=True) == ("B", "spelling")


def test_words_for_unlabeled_are_no_name_and_two_of_one_kind_are_not_chosen_between():
    assert meant("Unassigned") is None and meant("nan") is None
    assert meant("NK-cell", ("NK", "nk cells")) == ("", "")


def test_synonyms_are_written_as_they_are_compared_and_each_once():
    names = [name for group in SYNONYMS for name in group]
    assert [plain_name(name) for name in names] == names
    assert len(set(names)) == len(names)
