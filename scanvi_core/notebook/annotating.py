"""`annotate`: the command of this name, on an AnnData in memory."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.notebook.columns import ours_in, take_over, write_copy

if TYPE_CHECKING:
    from anndata import AnnData


def annotate(
    adata: "AnnData",
    *,
    labels_key: str,
    batch_key: str | None = None,
    unlabeled_categories: Sequence[str] = (),
    layer: str | None = None,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
) -> dict[str, Any]:
    """Name the unlabeled cells of an object, which gets the columns of the export.

    Those of an annotation before it are replaced, but for one that is read here.

    Parameters
    ----------
    adata
        Cells with counts; changed in place.
    labels_key
        Column of ``obs`` with the known types; missing values are unlabeled.
    batch_key
        Column of ``obs`` that tells batches apart.
    unlabeled_categories
        Values of the column that mean unlabeled.
    layer
        Where the counts are: a layer, ``X`` or ``raw.X``; None: they are looked for.
    model, train
        How the network is built and trained; None: as the app does.

    Returns
    -------
    dict
        What ``scanvi annotate --json`` prints.

    Raises
    ------
    InputError
        If the object, a column or the labels cannot be used.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> kind = np.repeat([0, 1], 60)
    >>> counts = rng.poisson(1 + 4 * (np.arange(60) % 2 == kind[:, None])).astype("float32")
    >>> obs = pd.DataFrame(
    ...     {"known": np.array(["B", "T"])[kind]}, index=[f"c{i}" for i in range(120)]
    ... )
    >>> obs.loc[obs.index[::2], "known"] = "Unknown"
    >>> adata = anndata.AnnData(counts, obs, pd.DataFrame(index=[f"GENE{i}" for i in range(60)]))
    >>> summary = annotate(
    ...     adata,
    ...     labels_key="known",
    ...     unlabeled_categories=["Unknown"],
    ...     train=TrainConfig(max_epochs=9),
    ... )
    >>> adata.obs["cell_type_curated"].value_counts().to_dict()
    {'B': 60, 'T': 60}
    """
    from scanvi_core.services.annotate.command import annotate as annotate_files
    from scanvi_core.services.annotate.request import AnnotateRequest
    from scanvi_core.services.runs.train_request import TrainRequest

    with tempfile.TemporaryDirectory(prefix="scanvi-", ignore_cleanup_errors=True) as folder:
        source, target = Path(folder) / "cells.h5ad", Path(folder) / "annotated.h5ad"
        write_copy(adata, source, without=ours_in(adata) - {labels_key, batch_key})
        training = TrainRequest(model or ModelConfig(), train or TrainConfig())
        request = AnnotateRequest(
            (source,), target, labels_key, tuple(unlabeled_categories), batch_key, layer, training
        )
        summary = annotate_files(request, lambda *_: None)
        take_over(adata, target)
    return summary
