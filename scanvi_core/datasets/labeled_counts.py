"""The form every data set here has: counts, types and batches, as the first scVI handed them."""

from collections.abc import Sequence

import numpy as np


class LabeledCounts:
    """Counts of cells with their types and batches.

    Parameters
    ----------
    X
        Counts [n, genes].
    labels, batch_indices
        Codes of types and of batches [n].
    gene_names, cell_types
        Names of the genes and of the types.
    n_batches
        Number of batches; None: as many as the codes need.

    Attributes
    ----------
    X : counts [n, genes], float32
    labels, batch_indices : codes [n, 1], int64, as `SCANVI.forward` takes them
    local_means, local_vars : mean and variance of the log totals in each cell's batch [n, 1],
        the prior of a latent library size (population variance; log 0 is taken as 0)
    gene_names, cell_types : tuples of names
    nb_genes, n_batches, n_labels : numbers of genes, batches and types
    """

    def __init__(
        self,
        X: np.ndarray,
        labels: np.ndarray,
        batch_indices: np.ndarray,
        *,
        gene_names: Sequence[str],
        cell_types: Sequence[str],
        n_batches: int | None = None,
    ) -> None:
        self.X = np.ascontiguousarray(X, dtype=np.float32)
        self.labels = np.asarray(labels, dtype=np.int64).reshape(-1, 1)
        self.batch_indices = np.asarray(batch_indices, dtype=np.int64).reshape(-1, 1)
        self.gene_names = tuple(str(name) for name in gene_names)
        self.cell_types = tuple(str(name) for name in cell_types)
        self.nb_genes = self.X.shape[1]
        self.n_labels = len(self.cell_types)
        self.n_batches = int(self.batch_indices.max()) + 1 if n_batches is None else n_batches
        self.local_means, self.local_vars = self._library_priors()

    def __len__(self) -> int:
        return len(self.X)

    def _library_priors(self) -> tuple[np.ndarray, np.ndarray]:
        totals = self.X.sum(axis=1, dtype=np.float64)
        logs = np.log(np.where(totals > 0, totals, 1.0))
        batch = self.batch_indices[:, 0]
        priors = np.zeros((2, self.n_batches))
        for code in np.unique(batch):
            own = logs[batch == code]
            priors[:, code] = own.mean(), own.var()
        means, variances = priors[:, batch, None].astype(np.float32)
        return means, variances
