"""The built-in example: 700 blood cells of Zheng et al. 2017, part of their labels hidden."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core import config
from scanvi_core.errors import FileRefused

if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse as sp

    from scanvi_core.data.anndata_files.tables import Table

SEED = 17
MIN_SHOWN = 3
SOURCE = (
    "700 peripheral blood mononuclear cells of Zheng et al. 2017, as shipped with scanpy "
    "(10x_pbmc68k_reduced). Counts recovered exactly from the log-normalized values in raw; "
    f"cell_type shows {config.EXAMPLE_LABELED:.0%} of the labels, expert_label all of them."
)
CITATION = (
    "Zheng GXY et al. Massively parallel digital transcriptional profiling of single cells. "
    "Nature Communications 8, 14049 (2017). https://doi.org/10.1038/ncomms14049"
)


def write_example(path: Path | str) -> Path:
    """Write the example as .h5ad and return its path.

    ``obs``: cell_type (part of the labels), expert_label (all), batch (the eight channels),
    louvain, phase, percent_mito, n_counts. ``obsm``: X_umap, X_pca. Always the same bytes of
    labels: the draw is seeded.

    Raises
    ------
    FileRefused
        If scanpy, whose data it is, is not installed.
    """
    import anndata
    import pandas as pd

    from scanvi_core.data.counts.recovery import recover_counts

    table, genes, log_values, obsm = _shipped()
    given = table.columns
    counts = recover_counts(log_values, given["n_counts"])
    experts = given["bulk_labels"]
    channels = [f"batch {name.rsplit('-', 1)[1]}" for name in table.names]
    obs = pd.DataFrame(
        {
            "cell_type": hide_labels(experts, config.EXAMPLE_LABELED, SEED),
            "expert_label": experts,
            "batch": pd.Categorical(channels),
            **{key: given[key] for key in ("louvain", "phase", "percent_mito", "n_counts")},
        },
        index=table.names,
    )
    var = pd.DataFrame(index=genes)
    uns = {"source": SOURCE, "citation": CITATION}
    adata = anndata.AnnData(counts, obs=obs, var=var, obsm=obsm, uns=uns)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    adata.write_h5ad(path, compression="gzip")
    return path


def _shipped() -> "tuple[Table, np.ndarray, sp.csr_matrix, dict[str, np.ndarray]]":
    """Return cells, genes, log-normalized values and embeddings of scanpy's file."""
    import h5py

    from scanvi_core.data.anndata_files.tables import read_table
    from scanvi_core.data.blocks.hdf5 import find_matrices, raw_genes_key, read_counts

    with h5py.File(_shipped_file(), "r") as file:
        table, genes = read_table(file, "obs"), read_table(file, raw_genes_key(file)).names
        sources, _ = find_matrices(file, len(table.names), len(read_table(file, "var").names))
        raw = next(source for source in sources if source.name == "raw.X")
        obsm = {key: np.asarray(file["obsm"][key][()]) for key in ("X_umap", "X_pca")}
        return table, genes, read_counts(raw, raw.n_stored), obsm


def hide_labels(labels: "pd.Categorical", share: float, seed: int) -> "pd.Categorical":
    """Return labels with only `share` of each type kept, at least three; the rest missing."""
    generator = np.random.default_rng(seed)
    codes = np.full(len(labels), -1)
    for code in range(len(labels.categories)):
        rows = np.flatnonzero(labels.codes == code)
        shown = min(rows.size, max(MIN_SHOWN, round(share * rows.size)))
        codes[generator.permutation(rows)[:shown]] = code
    return labels.from_codes(codes, labels.categories)


def _shipped_file() -> Path:
    """Return the file inside the scanpy package, found without importing it (seconds)."""
    package = importlib.util.find_spec("scanpy")
    places = list(package.submodule_search_locations or ()) if package else []
    for place in places:
        path = Path(place) / "datasets" / "10x_pbmc68k_reduced.h5ad"
        if path.exists():
            return path
    raise FileRefused(
        "The example is not here: it comes with scanpy, which is not installed.",
        "Install scanpy, or open a file of your own.",
    )
