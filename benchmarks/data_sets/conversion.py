"""Make the .h5ad file of a data set of what its authors published: objects of R, tables of text.

Which matrix of an object holds the counts, and which of its columns the labels and the batches, is
found by the digest: all that come into question are tried, and what fits is written. Nothing is
written where none fits. R is not needed; the package rdata reads its files.
"""

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.data_sets import PARTS, SETS, TABLES, Source, folder
from benchmarks.data_sets.content import COLUMNS, add, begun
from scanvi_core.data.blocks.nodes import Unreadable
from scanvi_core.data.formats.r import objects as r
from scanvi_core.runtime import replacing

FROM_SCANPY, OF_TABLES = "pbmc68k_reduced_counts", "scmixology"
TIMEOUT_S = 60
MOST_BYTES = 2**29  # of a file that is fetched


@dataclass(frozen=True, eq=False)
class Candidate:
    """Counts [cells, genes] that may be those of a set, names, and columns of its cells."""

    counts: sparse.csr_matrix
    genes: pd.Index
    obs: pd.DataFrame


def convert(name: str, files: Sequence[Path]) -> Path:
    """Write the file of a data set; return where.

    Raises
    ------
    SystemExit
        If nothing in the files has the content that was measured.
    """
    for candidate in _candidates(name, files):
        found = _fitting(candidate, SETS[name])
        if found is not None:
            return _write(name, found)
    sys.exit(
        f"Nothing in {', '.join(file.name for file in files)} has the content of {name} that was "
        f"measured ({SETS[name].digest[:12]}...). Nothing was written."
    )


def fetch(name: str, target: Path) -> list[Path]:
    """Download the files of a data set into a folder; return them.

    Raises
    ------
    SystemExit
        If one cannot be had.
    """
    source, got = SETS[name], []
    target.mkdir(parents=True, exist_ok=True)
    for path in source.files:
        address = f"https://raw.githubusercontent.com/{source.repository}/{source.commit}/{path}"
        file = target / Path(path).name
        try:
            with urllib.request.urlopen(address, timeout=TIMEOUT_S) as stream:
                content = stream.read(MOST_BYTES)
        except (urllib.error.URLError, TimeoutError) as error:
            sys.exit(f"{address} cannot be had: {error}.")
        with replacing(file) as temporary:
            temporary.write_bytes(content)
        got.append(file)
    return got


def _candidates(name: str, files: Sequence[Path]) -> Iterator[Candidate]:
    if name == FROM_SCANPY:
        yield _of_scanpy()
    elif name == OF_TABLES:
        yield from _of_tables(files)
    else:
        for file in files:
            yield from _of_r(file)


def _fitting(candidate: Candidate, source: Source) -> Candidate | None:
    """Return the candidate with the labels and batches that have the digest; None if none do."""
    genes = candidate.genes
    for names in (genes,) if genes.is_unique else (genes, _unique(genes)):
        start = begun(candidate.counts, candidate.obs.index, names)
        for label in candidate.obs:
            labeled = start.copy()
            add(labeled, candidate.obs[label])
            for batch in (None, *candidate.obs):
                whole = labeled.copy()
                if batch is not None:
                    add(whole, candidate.obs[batch])
                if whole.hexdigest() == source.digest:
                    own = [label] if batch is None else [label, batch]
                    obs = candidate.obs[own].set_axis(COLUMNS[: len(own)], axis=1)
                    return Candidate(candidate.counts, names, obs)
    return None


def _unique(names: pd.Index) -> pd.Index:
    import anndata.utils

    return anndata.utils.make_index_unique(names)


def _write(name: str, found: Candidate) -> Path:
    import anndata

    target = folder() / f"{name}.h5ad"
    target.parent.mkdir(parents=True, exist_ok=True)
    counts = sparse.csr_matrix(found.counts, dtype=np.float32)
    obs = found.obs.astype("category")
    with replacing(target) as temporary:
        anndata.AnnData(counts, obs, pd.DataFrame(index=found.genes)).write_h5ad(temporary)
    return target


def _of_scanpy() -> Candidate:
    """Return the set that scanpy ships: its logs, taken back to counts."""
    import scanpy

    whole = scanpy.datasets.pbmc68k_reduced()
    logs, totals = whole.raw.X.toarray().astype(float), whole.obs["n_counts"].to_numpy()
    counts = sparse.csr_matrix(np.rint(np.expm1(logs) * totals[:, None] / 1e4))
    obs = whole.obs[["bulk_labels"]].copy()
    obs["batch"] = [f"gem_{name.rpartition('-')[2]}" for name in whole.obs_names]
    return Candidate(counts, whole.raw.var_names, obs)


def _of_tables(files: Sequence[Path]) -> Iterator[Candidate]:
    """Yield the cells of all tables, in the genes that all have, in the order of each table."""
    by_name = {file.name: file for file in files}
    counts, about = [], []
    for stem, batch in TABLES.items():
        tables = [by_name.get(f"{stem}.{what}.csv.gz") for what in PARTS]
        if None in tables:
            sys.exit(f"{stem}.count.csv.gz and {stem}.metadata.csv.gz are needed.")
        values, own = (pd.read_csv(table, index_col=0) for table in tables)
        cells = [cell for cell in values.columns if cell in own.index]
        named = {cell: f"{batch}_{cell}" for cell in cells}
        counts.append(values[cells].rename(columns=named))
        about.append(own.loc[cells].rename(index=named).assign(batch=batch))
    shared = set.intersection(*(set(each.index) for each in counts))
    obs = pd.concat(about)
    for order in counts:
        genes = [gene for gene in order.index if gene in shared]
        joined = pd.concat([each.loc[genes] for each in counts], axis=1)
        yield Candidate(sparse.csr_matrix(joined.to_numpy().T), pd.Index(genes), obs)


def _of_r(file: Path) -> Iterator[Candidate]:
    """Yield every matrix of counts in a file of R (.rda) with the columns of its cells."""
    from rdata.parser import parse_file

    link: Any = parse_file(file).object
    while link is not None and link.info.type.name == "LIST":
        yield from _of_object(r.resolved(link.value[0]))
        link = link.value[1]


def _of_object(node: Any) -> Iterator[Candidate]:
    parts = r.items(node)
    tables = [r.slot(node, "meta.data"), r.slot(node, "colData"), parts.get("samples")]
    about = next((table for table in tables if table is not None), None)
    if about is None:
        return
    obs, _ = r.table(about)
    for counts, genes, cells in _matrices(node, parts):
        for values, columns in ((counts, genes), (counts.T.tocsr(), cells)):
            if values.shape[0] == len(obs) and columns:
                for named in _names(columns, parts):
                    yield Candidate(values, pd.Index(named), obs)


def _names(genes: list[str], parts: dict[str, Any]) -> Iterator[list[str]]:
    """Yield what the genes may be called: as the matrix has it, or as a table of them."""
    yield genes
    table = parts.get("genes")
    for column in r.items(table).values():
        names = r.texts(column)
        if len(names) == len(genes):
            yield names


def _matrices(
    node: Any, parts: dict[str, Any]
) -> Iterator[tuple[sparse.csr_matrix, list[str], list[str]]]:
    """Yield matrices of an object with the names of genes and cells: of Seurat (its assays, in
    versions 3 and 4), of SingleCellExperiment, of a list.
    """  # noqa: D205  one sentence
    assays = r.items(r.slot(node, "assays")) or r.items(r.slot(node, "assays", "data"))
    slots = [r.slot(assay, "counts") for assay in assays.values()]
    rows, cells = r.texts(r.slot(node, "NAMES")), r.texts(r.slot(node, "colData", "rownames"))
    ranges = r.texts(r.slot(node, "rowRanges", "partitioning", "NAMES"))
    for part in [*slots, *assays.values(), *parts.values()]:
        try:
            counts, genes, own = r.matrix(part)
        except (Unreadable, AttributeError):  # a part that is no matrix
            continue
        yield counts, genes or rows or ranges, own or cells
