"""The few genes of each group that figures and cards show."""

import numpy as np
import pandas as pd
import pytest

from scanvi_core.services.explore import gene_search, telling_genes
from scanvi_core.services.review import first_cards
from scanvi_core.services.workspace import workspace


@pytest.fixture
def opened(labeled, monkeypatch):
    """A project in which two genes are ribosomal: LYZ and CD3D."""
    found = workspace(labeled)
    mask = np.isin(gene_search.index(found).names, ["LYZ", "CD3D"])
    monkeypatch.setattr(telling_genes, "housekeeping", lambda _: mask)
    return found


def ranked():
    rows = [("T", "CD3D", 0.1), ("T", "B2M", 0.9), ("T", "IL32", 0.2), ("B", "CD79A", 0.1)]
    table = pd.DataFrame(rows, columns=["group", "gene", "seen in others"])
    return table.assign(**{"log2 change": 3.0})


def test_genes_of_each_group_are_those_that_tell_it_and_others_are_named(opened):
    told = telling_genes.of_groups(opened, ranked(), 1)
    assert told.genes == ("IL32", "CD79A")
    assert (told.behind, told.common) == (("CD3D",), ())
    assert told.sentence == (
        "Put behind, though the test has them first: 1 gene as ribosomal or mitochondrial (CD3D)."
    )
    two = telling_genes.of_groups(opened, ranked(), 2)
    assert two.genes == ("IL32", "B2M", "CD79A") and two.behind == ("CD3D",)
    every = telling_genes.of_groups(opened, ranked(), 3)
    assert every.genes == ("IL32", "B2M", "CD3D", "CD79A") and every.sentence == ""


def test_the_table_keeps_the_order_of_the_test_with_a_note(opened):
    table = telling_genes.noted(opened, ranked())
    assert table["gene"].tolist() == ranked()["gene"].tolist()
    assert [bool(word) for word in table["behind"]] == [True, True, False, False]
    assert "behind" not in telling_genes.noted(opened, ranked()[2:])


@pytest.mark.parametrize(("n_groups", "n"), [(2, 5), (12, 5), (13, 4), (30, 2), (100, 1)])
def test_so_many_genes_of_each_group_fit_a_page(n_groups, n):
    assert telling_genes.per_group(n_groups) == n


def test_cards_show_ribosomal_genes_last(opened):
    labels = opened.labels()
    name = next(name for name in labels.active if "Monocyte" in name or "CD14" in name)
    rows = np.flatnonzero(labels.codes == labels.names.index(name))
    genes = first_cards.markers(opened, rows)["gene"].tolist()
    assert "LYZ" not in genes and len(genes) == first_cards.MARKERS
