"""How the counts of chosen cells become a dense minibatch on the training device."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

PREDICT_BATCH = 1024
DEVICE_SHARE = 0.5  # the counts stay on a GPU when they need less than this of its free memory


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The cells of one training run.

    Parameters
    ----------
    counts
        Counts [n, genes], CSR, float32; every cell has at least one count.
    batch_index
        Batch codes [n], int64, 0 to `n_batch` - 1.
    n_batch
        Number of batches.
    y
        Label codes [n], int64: -1 none, 0 to `n_labels` - 1 a type, `n_labels` + g known only
        as a member of group g.
    n_labels
        Number of types.
    validation
        Cells [n] whose labels are watched and not trained on.
    """

    counts: sparse.csr_array
    batch_index: np.ndarray
    n_batch: int
    y: np.ndarray
    n_labels: int
    validation: np.ndarray

    def hide_validation(self) -> "TrainingData":
        """Return the same cells with the labels of the validation cells taken away."""
        return replace(self, y=np.where(self.validation, -1, self.y))


class Rows(Protocol):
    """Gives the dense counts of some cells."""

    def fetch(self, rows: np.ndarray) -> Tensor:
        """Return the counts [len(rows), genes], float32, on the training device."""
        ...


class HostRows:
    """Counts kept as CSR in the memory of the machine, or in a memory-mapped file."""

    def __init__(self, counts: sparse.csr_array, device: torch.device) -> None:
        self.counts, self.device = counts, device

    def fetch(self, rows: np.ndarray) -> Tensor:
        """Return the counts [len(rows), genes], float32, on the training device."""
        dense = self.counts[rows].toarray()
        return torch.from_numpy(np.asarray(dense, dtype=np.float32)).to(self.device)


class DeviceRows:
    """Counts kept as CSR on the training device; only the minibatch is made dense there."""

    def __init__(self, counts: sparse.csr_array, device: torch.device) -> None:
        self.n_genes, self.device = counts.shape[1], device
        self.starts = torch.tensor(counts.indptr, dtype=torch.int64, device=device)
        self.columns = torch.tensor(counts.indices, dtype=torch.int32, device=device)
        self.values = torch.tensor(counts.data, dtype=torch.float32, device=device)

    def fetch(self, rows: np.ndarray) -> Tensor:
        """Return the counts [len(rows), genes], float32, on the training device."""
        cells = torch.as_tensor(rows, dtype=torch.int64, device=self.device)
        starts = self.starts[cells]
        lengths = self.starts[cells + 1] - starts
        ends = lengths.cumsum(0)
        row = torch.repeat_interleave(torch.arange(len(rows), device=self.device), lengths)
        entry = torch.arange(row.numel(), device=self.device) + (starts - ends + lengths)[row]
        dense = torch.zeros(len(rows) * self.n_genes, device=self.device)
        dense[row * self.n_genes + self.columns[entry]] = self.values[entry]
        return dense.view(len(rows), self.n_genes)


def rows_of(counts: sparse.csr_array, device: torch.device) -> Rows:
    """Keep the counts on a CUDA device where they fit, else in the memory of the machine."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if 8 * counts.nnz < DEVICE_SHARE * free:
            return DeviceRows(counts, device)
    return HostRows(counts, device)


def blocks(rows: np.ndarray, size: int = PREDICT_BATCH) -> Iterator[np.ndarray]:
    """Yield the row numbers in order, at most `size` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
