"""Groups of cells whose genes are compared, levels of a few genes in them, and how they came.

A group that was chosen by the genes it is tested on differs in them by the choice alone: pages
show `warning` wherever they show such a test.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core.annotation.selection.rules import Rule
from scanvi_core.services.explore import colors, gene_search, maps, rules, selection
from scanvi_core.services.workspace import Workspace

PICKED, KEPT, REST = "Picked cells", "Kept cells", "All other cells"
VIOLIN_CELLS = 300  # drawn per type
MAX_GROUPS = 60
FROM_GENES = ("polygon", "gene", "predicted", "confidence", "cluster", "reason", "near")


@dataclass(frozen=True, eq=False)
class Groups:
    """Cells in groups: `codes` [n_obs] point into `names`, -1 for none.

    Attributes
    ----------
    what
        What they are groups of, as the pages call it.
    places
        Positions in the palette, so that a type keeps its color.
    warning
        Why tests between them flatter, in a sentence; empty where nothing speaks for that.
    """

    what: str
    codes: np.ndarray
    names: tuple[str, ...]
    places: tuple[int, ...]
    warning: str

    @property
    def digest(self) -> str:
        """What tells these groups from others."""
        text = "\n".join(self.names).encode()
        return f"{zlib.crc32(self.codes.tobytes(), zlib.crc32(text)):08x}"


def options(opened: Workspace) -> list[str]:
    """Return what cells can be grouped by, the most useful first."""
    columns = opened.dataset.manifest["obs_columns"]

    def usable(what: str) -> bool:
        if what in columns:
            return columns[what]["kind"] != "number" and columns[what]["n_unique"] <= MAX_GROUPS
        return what in (colors.LABEL, colors.PREDICTION, maps.CLUSTER)

    choices = [what for what in colors.color_options(opened) if usable(what)]
    if not opened.labels().active:
        choices.remove(colors.LABEL)
    return choices


def groups(opened: Workspace, what: str) -> Groups:
    """Return the groups of one of `options`."""
    coloring = colors.coloring(opened, what)

    def work_out() -> Groups:
        if coloring.codes is None:
            raise ValueError(f"{what} has no groups")
        places = coloring.places or tuple(range(len(coloring.names)))
        codes = np.array(coloring.codes, dtype=np.int32)
        return Groups(what, codes, coloring.names, places, _why(opened, what))

    return opened.cache.get(("groups", coloring.revision), work_out)


def of_two(opened: Workspace, tab: str, what: str, names: tuple[str, str]) -> Groups:
    """Return two groups to compare: types of `what`, or the cells picked or kept in a tab.

    Cells in both are in neither; `REST` means all cells that are not in the other.
    """
    masks, warnings = [], []
    for name in names:
        mask, warning = _one(opened, tab, what, name)
        masks.append(mask)
        warnings.append(warning)
    first, second = masks
    if first is None or second is None:
        first = ~second if first is None and second is not None else first
        second = ~first if second is None and first is not None else second
    if first is None or second is None:  # both are the rest
        first = second = np.zeros(opened.dataset.n_obs, dtype=bool)
    codes = np.full(len(first), -1, dtype=np.int32)
    codes[first & ~second], codes[second & ~first] = 0, 1
    warning_text = " ".join(dict.fromkeys(filter(None, warnings)))
    return Groups("two groups", codes, names, (0, 1), warning_text)


def _one(opened: Workspace, tab: str, what: str, name: str) -> tuple[np.ndarray | None, str]:
    if name == REST:
        return None, ""
    if name in (PICKED, KEPT):
        own = selection.selection(opened, tab if name == PICKED else kept_tab(tab))
        return own.mask, _why_rule(own.rule)
    types = groups(opened, what)
    return types.codes == types.names.index(name), types.warning


def kept_tab(tab: str) -> str:
    """Return under which name a tab's second selection is kept."""
    return f"{tab}/kept"


def keep_picked(opened: Workspace, tab: str) -> int:
    """Put the picked cells aside as the second selection; return how many."""
    return selection.set_rule(opened, kept_tab(tab), selection.selection(opened, tab).rule)


def sides(opened: Workspace, tab: str, what: str) -> list[str]:
    """Return what can stand on either side of a comparison."""
    own = [
        name
        for name, where in ((PICKED, tab), (KEPT, kept_tab(tab)))
        if selection.selection(opened, where).n
    ]
    types = groups(opened, what)
    filled = np.bincount(types.codes[types.codes >= 0], minlength=len(types.names)) > 0
    names = [name for name, some in zip(types.names, filled, strict=True) if some]
    return [*own, *names, REST]


def levels(opened: Workspace, what: str, chosen: Sequence[str]) -> pd.DataFrame:
    """Return the levels of genes in what cells are grouped by; see `levels_of`."""
    return levels_of(opened, groups(opened, what), chosen)


def levels_of(opened: Workspace, types: Groups, chosen: Sequence[str]) -> pd.DataFrame:
    """Return a row per group and gene: ``group``, ``gene``, ``mean``, ``share``, ``scaled``.

    ``scaled`` is the mean level of a gene from 0 in the lowest group to 1 in the highest, as by
    scanpy's ``standard_scale="var"``. Groups without a cell are left out.
    """
    from scanvi_core.annotation.genes.levels import by_group

    def work_out() -> pd.DataFrame:
        dataset = opened.dataset
        places = [gene_search.position(opened, gene) for gene in chosen]
        mean, share = by_group(
            dataset.counts_by_gene, dataset.totals, places, types.codes, len(types.names)
        )
        table = pd.DataFrame(
            {
                "group": np.repeat(np.array(types.names, dtype=object), len(chosen)),
                "gene": np.tile(np.array(chosen, dtype=object), len(types.names)),
                "mean": mean.ravel(),
                "share": share.ravel(),
            }
        )
        table = table.dropna(subset=["mean"])
        return table.assign(scaled=_scaled(table))

    return opened.cache.get(("levels", types.digest, tuple(chosen)), work_out)


def _scaled(table: pd.DataFrame) -> pd.Series:
    """Return the mean levels of each gene less the lowest, over the highest of that."""
    by_gene = table.groupby("gene", sort=False)["mean"]
    above = table["mean"] - by_gene.transform("min")
    most = above.groupby(table["gene"]).transform("max")
    return above / most.where(most > 0, 1.0)


def violins(opened: Workspace, what: str, gene: str) -> dict[str, np.ndarray]:
    """Return levels of a gene in at most 300 cells of each group, by name."""
    from scanvi_core.annotation.genes.comparison import draw_per_group

    types, values = groups(opened, what), gene_search.levels(opened, gene)
    rows = draw_per_group(types.codes, len(types.names), VIOLIN_CELLS)
    own = types.codes[rows]
    return {
        name: values[rows[own == code]]
        for code, name in enumerate(types.names)
        if (own == code).any()
    }


def conditioned(selections: Iterable[Rule]) -> set[str]:
    """Return the genes that were conditions of selections."""
    return {term.name for rule in selections for term in rule.terms if term.kind == "gene"}


def conditions_on(opened: Workspace, tab: str, names: Sequence[str]) -> set[str]:
    """Return the genes by which the picked or kept cells among `names` were chosen."""
    where = {PICKED: tab, KEPT: kept_tab(tab)}
    chosen = [selection.selection(opened, where[name]).rule for name in names if name in where]
    return conditioned(chosen)


FLATTERED = (
    "so genes differ between the groups by that choice alone, and the p-values are too small. "
    "Read the order of the genes, not their p-values."
)


def _why(opened: Workspace, what: str) -> str:
    if what == maps.CLUSTER:
        return f"Clusters were made from the same genes, {FLATTERED}"
    if what == colors.PREDICTION:
        return f"The model predicted these types from the same genes, {FLATTERED}"
    if what == colors.LABEL and any(_why_rule(own.rule) for own in rules.logged(opened)):
        return f"Some labels were given by shapes, clusters or levels of genes, {FLATTERED}"
    if what not in colors.STANDARD and any(w in what.casefold() for w in colors.LIKE_CLUSTERS):
        return f"If “{what}” holds clusters, they were made from the same genes, {FLATTERED}"
    return ""


def _why_rule(rule: Rule) -> str:
    if any(term.kind in FROM_GENES for term in rule.terms):
        return f"The picked cells were chosen by the same genes ({rules.words(rule)}), {FLATTERED}"
    return ""
