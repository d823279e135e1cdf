"""What is in a data set: its matrices, its quality, its batches."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.config import TrainConfig
from scanvi_core.data.genes.choose import told_of_genes
from scanvi_core.data.manifest import Candidate, Manifest, Matrix
from scanvi_core.services.formatting import percent
from scanvi_core.services.workspace import Workspace

MAX_BATCHES = 500


@dataclass(frozen=True)
class DataReport:
    """Everything the Check page shows."""

    n_obs: int
    n_vars: int
    counts_source: str
    counts_reason: str
    usable_matrices: list[str]
    matrices: pd.DataFrame
    proof: list[str]
    repairs: list[str]
    warnings: list[str]
    median_total: float
    batch_key: str | None
    batch_columns: list[str]


def report(opened: Workspace) -> DataReport:
    """Describe the project's data set."""
    dataset, manifest = opened.dataset, opened.dataset.manifest
    matrices = manifest["matrices"]
    source = manifest["counts_source"]
    recovered = (manifest.get("recovery") or {}).get("text")  # shown as the proof
    reasons = {matrix["name"]: matrix["reason"] for matrix in matrices}
    return DataReport(
        n_obs=dataset.n_obs,
        n_vars=dataset.n_vars,
        counts_source=source,
        counts_reason=reasons.get(source, ""),
        usable_matrices=[item["name"] for item in matrices if usable(item)],
        matrices=matrix_table(matrices),
        proof=proof_of(manifest),
        repairs=[text for text in sentences(manifest["repairs"]) if text != recovered],
        warnings=[*sentences(manifest["warnings"]), *filter(None, [_told_of_genes(opened)])],
        median_total=opened.cache.get("median", lambda: float(np.median(dataset.totals))),
        batch_key=opened.batch_key,
        batch_columns=batch_columns(opened),
    )


def _told_of_genes(opened: Workspace) -> str:
    """Say how the genes were chosen that a map or a model of all cells reads, once they were."""
    return told_of_genes(opened.dataset.folder, TrainConfig().n_top_genes, opened.batch_key)


def matrix_table(matrices: list[Matrix]) -> pd.DataFrame:
    """Return the verdict on each matrix with its evidence: why, and what its values are like."""
    return pd.DataFrame(
        [
            {
                "matrix": item["name"],
                "holds": item["verdict"],
                "values": f"{item['minimum']:,.4g} to {item['maximum']:,.4g}",
                "whole numbers": percent(item["whole_share"], item["n_values"]),
                "why": item["reason"],
            }
            for item in matrices
        ]
    )


def usable(matrix: Matrix) -> bool:
    """Tell whether a model could read a matrix: it holds counts, or they can be recovered."""
    return matrix["verdict"] == "counts" or bool(matrix.get("recoverable"))


def proof_of(manifest: Manifest) -> list[str]:
    """Return the proof of counts that were recovered, fact by fact; none where they were there."""
    text = (manifest.get("recovery") or {}).get("text", "")
    return [fact[:1].upper() + fact[1:] for fact in text.removesuffix(".").split("; ") if fact]


def sentences(items: list[Any]) -> list[str]:
    """Return repairs or warnings as sentences, also those that come with their number."""
    return [str(item["sentence"] if isinstance(item, dict) else item) for item in items]


def batch_columns(opened: Workspace) -> list[str]:
    """Return the obs columns that may tell batches apart, the likeliest first."""
    return columns_with(opened, opened.dataset.manifest["batch_candidates"], 2, MAX_BATCHES)


def columns_with(opened: Workspace, candidates: list[Candidate], low: int, high: int) -> list[str]:
    """Return the `candidates` found at import, then other obs columns of low to high values."""
    likely = [candidate["key"] for candidate in candidates]
    others = [
        name
        for name, column in opened.dataset.manifest["obs_columns"].items()
        if name not in likely and low <= column["n_unique"] <= high
    ]
    return likely + others


def batch_table(opened: Workspace, key: str) -> pd.DataFrame:
    """Return each batch with its cells and, once labels were chosen, how many have one."""
    batches, labels = opened.batches(key), opened.labels()
    cells = {"cells": np.bincount(batches.index, minlength=len(batches.names))}
    if labels.seq:
        labeled = batches.index[labels.codes >= 0]
        cells["labeled"] = np.bincount(labeled, minlength=len(batches.names))
    table = pd.DataFrame({"batch": list(batches.names), **cells})
    return table.sort_values("cells", ascending=False, kind="stable")
