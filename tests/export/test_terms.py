"""Terms found by name, and those a field may not hold."""

import pytest

from scanvi_core.export import terms
from scanvi_core.export.terms import CELL_TYPE, Scope
from scanvi_core.services.export.cellxgene.fields import FIELDS

pytestmark = pytest.mark.skipif(not terms.available(), reason="cellxgene-ontology-guide is absent")


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("T cell", "CL:0000084"),
        ("T cells", "CL:0000084"),
        ("t-lymphocyte", "CL:0000084"),  # a synonym
        ("B", "CL:0000236"),
        ("CD14+ Monocytes", "CL:0001054"),
        ("CL:0000084", "CL:0000084"),
        ("Unknown", "unknown"),
    ],
)
def test_a_name_finds_its_term(text, term):
    assert terms.suggest(text, CELL_TYPE).id == term


@pytest.mark.parametrize("text", ["", "my cells", "CD4", "cluster 3", "CL:9999999", "CL:0000548"])
def test_what_is_no_name_of_a_type_finds_nothing(text):
    assert terms.suggest(text, CELL_TYPE) is None


@pytest.mark.parametrize("term", ["CL:0000255", "CL:0000257", "CL:0000548"])
def test_terms_the_schema_forbids_are_refused(term):
    assert terms.problem(term, CELL_TYPE)
    assert terms.suggest(terms._all("CL")[term]["label"], CELL_TYPE) is None


def test_terms_no_longer_used_are_refused():
    old = next(t for t, entry in terms._all("CL").items() if entry["deprecated"])
    assert terms.problem(old, CELL_TYPE).endswith("no longer used")


def test_every_field_takes_what_the_schema_takes():
    human, mouse = "NCBITaxon:9606", "NCBITaxon:10090"
    cases = {
        ("assay_ontology_term_id", human): ("10x 3' v3", "EFO:0009922"),
        ("tissue_ontology_term_id", human): ("Blood", "UBERON:0000178"),
        ("disease_ontology_term_id", human): ("normal", "PATO:0000461"),
        ("sex_ontology_term_id", human): ("Female", "PATO:0000383"),
        ("self_reported_ethnicity_ontology_term_id", human): ("unknown", "unknown"),
        ("self_reported_ethnicity_ontology_term_id", mouse): ("na", "na"),
        ("development_stage_ontology_term_id", human): ("adult stage", "HsapDv:0000258"),
        ("suspension_type", human): ("nucleus", "nucleus"),
    }
    fields = {item.key: item for item in FIELDS}
    for (key, organism), (text, term) in cases.items():
        assert terms.suggest(text, fields[key].scope(organism, "tissue")).id == term, key
    wrong = {"sex_ontology_term_id": "PATO:0000461", "tissue_ontology_term_id": "CL:0000084"}
    for key, term in wrong.items():
        assert terms.problem(term, fields[key].scope(human, "tissue"))


def test_an_ambiguous_synonym_finds_nothing(monkeypatch):
    entry = {"ancestors": {"CL:0000000": 1}, "deprecated": False, "synonyms": ["twin"]}
    made = {f"CL:{at}": entry | {"label": f"cell {at}"} for at in (1, 2)}
    monkeypatch.setattr(terms, "_all", lambda _: made)
    scope = Scope(("CL",), ("CL:0000000",))
    assert terms.suggest("twin", scope) is None
    assert terms.suggest("cell 2", scope).id == "CL:2"
    terms._names.cache_clear()


def test_search_holds_all_words_shortest_first():
    found = terms.search("regulatory T", CELL_TYPE)
    assert found[0].name == "regulatory T cell"
    assert terms.search("no such words", CELL_TYPE) == []
