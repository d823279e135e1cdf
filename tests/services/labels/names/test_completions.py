"""What boxes for names complete, and what they say of a name that is none of theirs."""

import pytest

from scanvi_core.services.labels.names.completions import completions, in_ontology, name_of, near

KNOWN = ["Mine", "T cell", "NK", "a · CL:0000000"]


def test_the_types_here_come_first_and_once():
    lines = completions(KNOWN)
    assert lines[: len(KNOWN)] == KNOWN
    assert len(set(lines)) == len(lines) > 4_000
    assert "T cell · CL:0000084" not in lines and "B cell · CL:0000236" in lines


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ("B cell · CL:0000236", "B cell"),
        ("Treg → regulatory T cell", "regulatory T cell"),
        ("KC → Kupffer cell · CL:0000091", "Kupffer cell"),
        ("my own name", "my own name"),
        ("x → y · CL:0000000", "x → y · CL:0000000"),  # typed, and no line
        ("a · CL:0000000", "a · CL:0000000"),  # a type here
    ],
)
def test_a_line_gives_the_ontologys_name_and_what_was_typed_stays(chosen, name):
    assert name_of(chosen, KNOWN) == name


def test_a_new_name_is_near_a_type_of_the_same_cells():
    assert near("natural killer cell", KNOWN) == ["NK"]
    assert near("NK", KNOWN) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NK", "natural killer cell, CL:0000623"),
        ("natural killer cell", ""),
        ("cDC1", "close to CD141-positive myeloid dendritic cell, conventional dendritic cell"),
        ("cluster 3", ""),
        ("\u202e<b>", "B cell, CL:0000236"),
    ],
)
def test_a_name_is_explained_where_it_is_none_of_the_ontology(name, said):
    assert in_ontology(name) == said
