"""Counts that come in parts: spliced, unspliced and ambiguous molecules of every gene.

alevin-fry's USA mode names every gene three times (``G``, ``G-U``, ``G-A``); kb-python's ``nac``
workflow and STARsolo's Velocyto write a matrix for each. Spliced and ambiguous ones together are
the counts of whole cells (fishpond::loadFry, format "scRNA"), with the unspliced those of nuclei.
"""

import numpy as np
import pandas as pd
import scipy.sparse as sp

ENDINGS = {"-S": "spliced", "": "spliced", "-U": "unspliced", "-A": "ambiguous"}
WHOLE = "all_molecules"


def split(
    counts: sp.csr_matrix, genes: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, sp.csr_matrix]]:
    """Part a matrix that holds every gene three times; without parts it stays as it is.

    Parameters
    ----------
    counts
        Counts [cells, features].
    genes
        Their table.

    Returns
    -------
    tuple
        The table of genes, once each, and the parts by kind; {} where there are none.
    """
    stems, kinds = zip(*map(_stem, genes.index), strict=True) if len(genes) else ((), ())
    table = pd.DataFrame({"stem": stems, "kind": kinds})
    if not {"unspliced", "ambiguous"} <= set(kinds) or table.duplicated().any():
        return genes, {}
    order = list(dict.fromkeys(stems))
    if len(genes) != 3 * len(order):
        return genes, {}
    place = {(stem, kind): at for at, (stem, kind) in enumerate(zip(stems, kinds, strict=True))}
    columns = {
        kind: np.array([place[stem, kind] for stem in order]) for kind in dict.fromkeys(kinds)
    }
    once = genes.iloc[columns["spliced"]].set_axis(pd.Index(order, dtype=object))
    return once, {kind: counts[:, at] for kind, at in columns.items()}


def added_up(parts: dict[str, sp.csr_matrix]) -> dict[str, sp.csr_matrix]:
    """Return what is written: ``X``, the counts of whole cells, and the parts as layers."""
    cells = parts["spliced"] + parts["ambiguous"] if "ambiguous" in parts else parts["spliced"]
    layers = {"X": cells.tocsr(), **parts}
    if "unspliced" in parts:
        layers[WHOLE] = (cells + parts["unspliced"]).tocsr()
    return layers


def notes(parts: dict[str, sp.csr_matrix]) -> list[str]:
    """Return the notice about parts that were added up."""
    if not parts:
        return []
    what = " and ".join(kind for kind in ("spliced", "ambiguous") if kind in parts)
    text = f"The counts are in parts: {what} molecules added up, as for whole cells."
    more = (
        f" For nuclei choose layers/{WHOLE}, with the unspliced." if "unspliced" in parts else ""
    )
    return [text + more]


def _stem(name: str) -> tuple[str, str]:
    ending = name[-2:] if name[-2:] in ENDINGS else ""
    return name.removesuffix(ending), ENDINGS[ending]
