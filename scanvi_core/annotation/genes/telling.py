"""Which of the ranked genes tell a type: the few that are shown on figures and cards.

A test ranks genes by how surely they differ, and with many cells that is true of genes that every
cell shows. They stay in the table of the test, and only come later when a few are chosen:
ribosomal and mitochondrial ones last, and before them those that many other cells show or that are
little higher than there, by the limits of scanpy's ``filter_rank_genes_groups``.
"""

from collections.abc import Collection, Sequence

import pandas as pd

MAX_OUT_GROUP, MIN_LOG2 = 0.5, 1.0  # the defaults of scanpy
HOUSEKEEPING = "ribosomal or mitochondrial"
COMMON = "common or as high elsewhere"


def first_of(
    ranked: Sequence[int], behind: Collection[int], n: int
) -> tuple[list[int], list[int]]:
    """Return the first `n` genes, those of `behind` last, and which of these that cost a place."""
    order = sorted(ranked, key=lambda gene: gene in behind)  # stable
    shown = order[:n]
    return shown, [gene for gene in ranked[:n] if gene not in shown]


def put_behind(ranked: pd.DataFrame, housekeeping: Collection[str]) -> pd.DataFrame:
    """Return a table of ranked genes in the order in which they tell their group.

    `ranked` has the columns ``group``, ``gene``, ``log2 change`` and ``seen in others``, the
    clearest gene of a group first. The column ``behind`` is added: why a
    gene comes later, empty for others.
    """
    common = (ranked["seen in others"] >= MAX_OUT_GROUP) | (ranked["log2 change"] <= MIN_LOG2)
    is_house = ranked["gene"].isin(list(housekeeping))
    later = common.astype(int).where(~is_house, 2)
    words = later.map({0: "", 1: COMMON, 2: HOUSEKEEPING})
    table = ranked.assign(behind=words, _later=later)
    groups = {name: place for place, name in enumerate(dict.fromkeys(table["group"]))}
    table["_group"] = table["group"].map(groups)
    order = table.sort_values(["_group", "_later"], kind="stable", ignore_index=True)
    return order.drop(columns=["_later", "_group"])
