"""The few genes of each group that figures and cards show, and which were put behind them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core.annotation.genes import telling
from scanvi_core.annotation.genes.telling import COMMON, HOUSEKEEPING
from scanvi_core.services.explore import gene_search
from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

MOST_PER_GROUP, USUAL_PER_GROUP = 10, 5
PAGE_GENES = 60  # that two rows of a dot plot hold on a page
LISTED = 4
LOOKED_AT, CONSIDERED = 400, 4  # cells a side, and genes for each that is shown


@dataclass(frozen=True)
class Telling:
    """Genes that tell groups, group after group, and those that would have been among them.

    `behind` are ribosomal and mitochondrial ones, `common` others that tell a group too little.
    """

    genes: tuple[str, ...]
    behind: tuple[str, ...]
    common: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Which genes were put behind, and why; empty where none was."""
        said = []
        if self.behind:
            said.append(
                f"{count(len(self.behind), 'gene')} as {HOUSEKEEPING} ({_list(self.behind)})"
            )
        if self.common:
            said.append(f"{count(len(self.common), 'gene')} as {COMMON} ({_list(self.common)})")
        return f"Put behind, though the test has them first: {'; '.join(said)}." if said else ""


def _list(genes: Sequence[str]) -> str:
    return ", ".join(genes[:LISTED]) + (", …" if len(genes) > LISTED else "")


def housekeeping(opened: Workspace) -> np.ndarray:
    """Return which genes are ribosomal or mitochondrial, bool [genes]."""
    from scanvi_core.data.genes.housekeeping import is_housekeeping

    return opened.cache.get(
        ("housekeeping",), lambda: is_housekeeping(np.asarray(opened.dataset.symbols))
    )


def first_of(opened: Workspace, ranked: Sequence[int], n: int) -> tuple[list[int], list[str]]:
    """Return the first `n` of some genes (columns), ribosomal and mitochondrial ones last.

    Also the symbols of those that lost their place by it.
    """
    later = housekeeping(opened)
    shown, behind = telling.first_of(ranked, {gene for gene in ranked if later[gene]}, n)
    return shown, [str(opened.dataset.symbols[gene]) for gene in behind]


def high_in(opened: Workspace, rows: np.ndarray, rest: np.ndarray, n: int) -> tuple[str, ...]:
    """Return the symbols of `n` genes that are higher in some cells than in the `rest`.

    400 cells a side are looked at: a moment, and enough for the first genes.
    """
    from scanvi_core.annotation.genes.quick_markers import contrast

    random = np.random.default_rng(0)
    own, others = (np.sort(random.permutation(side)[:LOOKED_AT]) for side in (rows, rest))
    found = contrast(opened.dataset.counts, own, others, n=CONSIDERED * n)
    shown, _ = first_of(opened, [item.gene for item in found if item.score > 0], n)
    return tuple(str(opened.dataset.symbols[gene]) for gene in shown)


def ordered(opened: Workspace, ranked: pd.DataFrame) -> pd.DataFrame:
    """Return the markers of groups in the order in which they tell them; see `put_behind`."""
    names = np.asarray(gene_search.index(opened).names, dtype=object)
    return telling.put_behind(ranked, set(names[housekeeping(opened)]))


def noted(opened: Workspace, ranked: pd.DataFrame) -> pd.DataFrame:
    """Return markers in the order of the test, with ``behind`` (why) where any comes behind."""
    table = ordered(opened, ranked)
    if not (table["behind"] != "").any():
        return ranked
    why = table.set_index(["group", "gene"])["behind"]
    pairs = pd.MultiIndex.from_frame(ranked[["group", "gene"]])
    return ranked.assign(behind=why.reindex(pairs).to_numpy())


def of_groups(opened: Workspace, ranked: pd.DataFrame, n: int) -> Telling:
    """Return the first `n` genes that tell each group, of the markers that a test ranked."""
    table = ordered(opened, ranked)
    genes = dict.fromkeys(table.groupby("group", sort=False).head(n)["gene"])
    first = dict.fromkeys(ranked.groupby("group", sort=False).head(n)["gene"])
    later = [gene for gene in first if gene not in genes]
    house = set(table.loc[table["behind"] == HOUSEKEEPING, "gene"])
    return Telling(
        tuple(genes),
        tuple(gene for gene in later if gene in house),
        tuple(gene for gene in later if gene not in house),
    )


def per_group(n_groups: int) -> int:
    """Return how many genes of each group fit a page, 5 at most."""
    return int(np.clip(PAGE_GENES // max(1, n_groups), 1, USUAL_PER_GROUP))
