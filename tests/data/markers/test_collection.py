"""The built-in collection is whole: every tissue, both species, names of the Cell Ontology."""

from collections import Counter

import pytest

from scanvi_core.data.markers import collection
from scanvi_core.data.markers.collection import HUMAN, MOUSE, TISSUES, entries, markers_of

NOT_IN_THE_ONTOLOGY = {"pancreatic endocrine progenitor cell"}


@pytest.mark.parametrize("tissue", TISSUES)
@pytest.mark.parametrize("species", [HUMAN, MOUSE])
def test_each_tissue_has_types_and_each_type_has_genes(tissue, species):
    types = markers_of(tissue, species)
    assert 8 <= len(types) <= 25
    assert len({own.name for own in types}) == len(types)
    for own in types:
        assert 3 <= len(own.positive) <= 10, own
        assert not set(own.positive) & set(own.negative), own
    assert "10." in collection.SOURCES[tissue]  # a DOI
    assert {one.tissue for one in entries()} == set(TISSUES)


def test_no_two_types_of_a_tissue_are_told_by_the_same_genes():
    for tissue in TISSUES:
        for species in (HUMAN, MOUSE):
            genes = Counter(frozenset(own.positive) for own in markers_of(tissue, species))
            assert max(genes.values()) == 1, tissue


def test_genes_are_written_as_each_species_writes_them():
    for one in entries():
        assert all(gene.upper() == gene for gene in (*one.human, *one.absent)), one
        assert all(gene[0].isupper() and gene.upper() != gene for gene in one.mouse), one
    absent = {g for tissue in TISSUES for own in markers_of(tissue, MOUSE) for g in own.negative}
    assert {"Cd3e", "Ins1", "Cd8b1"} < absent and not any(gene.isupper() for gene in absent)


def test_types_are_called_as_the_cell_ontology_calls_them():
    ontology = pytest.importorskip("cellxgene_ontology_guide.ontology_parser").OntologyParser()
    known = ontology.get_term_label_to_id_map("CL")
    assert {one.type for one in entries()} - set(known) == NOT_IN_THE_ONTOLOGY


def test_the_table_is_packed_with_the_program():
    import tomllib

    from tests import ROOT

    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert collection.TABLE.name in about["package-data"]["scanvi_core.data.markers"]
