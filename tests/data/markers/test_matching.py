"""Genes of a table are found by name, id, capitals or alias; what is not here is listed."""

from scanvi_core.data.markers.marker_sets import MarkerSet
from scanvi_core.data.markers.matching import GeneNames


def test_genes_are_found_by_every_name_they_have():
    ids, symbols = ["ENSG00000156738.18", "ENSG2", "ENSG3"], ["MS4A1", "Cd3e", "CD8A"]
    here = GeneNames(ids, symbols)
    match = here.match([MarkerSet("B", ("MS4A1", "CD20", "ENSG00000156738", "XYZ"), ("CD3E",))])
    (one,) = match.types
    assert one.positive == (0,) and one.negative == (1,) and one.missing == ("XYZ",)
    assert match.aliases == (("CD20", "MS4A1"),) and match.capitals == (("CD3E", "Cd3e"),)


def test_a_type_with_one_gene_here_is_not_scored():
    here = GeneNames(["A1", "B1", "C1"], ["A1", "B1", "C1"])
    match = here.match([MarkerSet("x", ("A1", "Z")), MarkerSet("y", ("B1", "C1"))])
    assert [one.name for one in match.scored] == ["y"]


def test_the_same_spelling_comes_before_the_same_letters():
    here = GeneNames(["Gene1", "GENE1"], ["Gene1", "GENE1"])
    assert here.find("GENE1") == (1, "name") and here.find("gene1") == (0, "capitals")
