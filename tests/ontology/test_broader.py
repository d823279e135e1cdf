from scanvi_core.ontology import search
from scanvi_core.ontology.broader import ancestors, propose
from scanvi_core.ontology.table import terms


def ids(*names):
    return {name: search.exact(name).id for name in names}


def test_types_that_share_a_term_are_put_under_the_most_specific_one():
    found = propose(ids("B cell", "plasma cell", "natural killer cell", "hepatocyte"))
    assert found == {
        "B cell": ("lymphocyte of B lineage",), "plasma cell": ("lymphocyte of B lineage",),
        "lymphocyte of B lineage": ("lymphocyte",), "natural killer cell": ("lymphocyte",),
    }  # fmt: skip


def test_a_type_that_is_here_is_what_others_are_part_of_by_its_own_name():
    found = propose(
        {**ids("CD8 T cell", "regulatory T cell", "B cell"), "My T": ids("T cell")["T cell"]}
    )
    assert "My T" in [above for names in found.values() for above in names]
    assert "T cell" not in found and all("T cell" not in names for names in found.values())


def test_a_term_that_holds_all_types_or_says_too_little_is_left_out():
    assert propose(ids("B cell", "T cell")) == {}
    assert propose(ids("hepatocyte", "T cell", "neuron")) == {}


def test_no_two_proposed_types_overlap():
    names = [each.name for each in list(terms().values())[:400:7]]
    found = propose(
        {name: next(i for i, t in terms().items() if t.name == name) for name in names}
    )
    held: dict[str, set[str]] = {}
    for name in names:
        at = name
        while at in found:
            (at,) = found[at]
            held.setdefault(at, set()).add(name)
    sets = list(held.values())
    assert sets and all(a <= b or b <= a or not a & b for a in sets for b in sets)


def test_types_without_a_term_are_left_out():
    assert propose({"mine": "", "odd": "CL:9999999", **ids("B cell")}) == {}


def test_ancestors_are_all_above_a_term_and_itself():
    t, lymphocyte = ids("T cell")["T cell"], ids("lymphocyte")["lymphocyte"]
    assert t in ancestors(t) and lymphocyte in ancestors(t) and t not in ancestors(lymphocyte)
