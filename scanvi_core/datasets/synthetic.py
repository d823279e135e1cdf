"""Random counts for trying out shapes."""

import numpy as np

from scanvi_core.datasets.labeled_counts import LabeledCounts


class SyntheticDataset(LabeledCounts):
    """Counts NB(5, 0.3) × Bernoulli(0.7), with types and batches drawn without looking at them.

    There is nothing to learn: the best accuracy is 1 / n_labels. For labels that can be learned
    see :func:`scanvi_core.datasets.simulate`.

    Parameters
    ----------
    batch_size
        Cells per batch.
    nb_genes, n_batches, n_labels
        Number of genes, of batches, of types.
    seed
        Start of the random draws.
    """

    def __init__(
        self,
        batch_size: int = 200,
        nb_genes: int = 100,
        n_batches: int = 2,
        n_labels: int = 3,
        seed: int = 0,
    ) -> None:
        random = np.random.default_rng(seed)
        shape = (n_batches * batch_size, nb_genes)
        counts = random.negative_binomial(5, 0.3, shape) * random.binomial(1, 0.7, shape)
        super().__init__(
            counts,
            random.integers(0, n_labels, shape[0]),
            np.repeat(np.arange(n_batches), batch_size),
            gene_names=[f"gene_{i}" for i in range(nb_genes)],
            cell_types=[f"type_{i}" for i in range(n_labels)],
            n_batches=n_batches,
        )
