"""team_worker, with its counts in a store: ``torchrun ... stored_worker.py OUT.npz``.

The first process also writes how many rows it has read, to ``OUT.read.npy``.
"""

import os
import sys
from pathlib import Path

import numpy as np
import team_worker
from scipy import sparse

from scanvi_core.data.collection.counts import StoredCounts
from scanvi_core.train import sampler, stored
from scanvi_core.train.loader import TrainingData


class InMemory:
    """Rows in memory, read as a store is."""

    n_read = 0

    def __init__(self, counts):
        self.counts, self.shape = counts, counts.shape

    def read(self, runs):
        InMemory.n_read += sum(run.stop - run.start for run in runs)
        return sparse.csr_array(sparse.vstack([self.counts[run] for run in runs], format="csr"))


def in_store(counts, *others):
    return TrainingData(StoredCounts(InMemory(counts)), *others)


if __name__ == "__main__":
    sampler.BLOCK_ROWS = stored.BLOCK_ROWS = 16
    sampler.POOL_ROWS = 128
    team_worker.N_STEPS = 40
    team_worker.TrainingData = in_store
    team_worker.main(*sys.argv[1:])
    if os.environ["RANK"] == "0":
        np.save(Path(sys.argv[1]).with_suffix(".read.npy"), InMemory.n_read)
