"""How the counts of chosen cells become a minibatch on the training device."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from scanvi_core.data.blocks.rows import take_rows
from scanvi_core.data.collection.counts import StoredCounts
from scanvi_core.nn.sparse import Counts
from scanvi_core.train.stored import StoredRows, on_device

PREDICT_BATCH = 1024
UPLOAD_BLOCK = 2**24  # entries on their way to the device at a time
DEVICE_SHARE = 0.5  # the counts stay on a GPU when they need less than this of its free memory


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The cells of one training run, as a step takes them: all of them usable, in numbers alone.

    Its shape is another than that of what a model is trained on, in which cells without counts,
    left out or held out keep their places and types and batches have names: a step has no use for
    those, and several processes share what is here.

    Parameters
    ----------
    counts
        Counts [n, genes], CSR, float32, or those of a store; every cell has at least one count.
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
    soft
        Soft labels [n, n_labels], float32: of labeled cells what is learned instead of their
        code, of all cells what the network is drawn to from the start; None: the codes alone.
    """

    counts: sparse.csr_array | StoredCounts
    batch_index: np.ndarray
    n_batch: int
    y: np.ndarray
    n_labels: int
    validation: np.ndarray
    soft: np.ndarray | None = None

    def hide_validation(self) -> "TrainingData":
        """Return the same cells with the labels of the validation cells taken away."""
        return replace(self, y=np.where(self.validation, -1, self.y))


class Rows(Protocol):
    """Gives the counts of some cells."""

    def fetch(self, rows: np.ndarray | Tensor) -> Counts:
        """Return the counts [len(rows), genes], float32, on the training device."""
        ...


class HostRows:
    """Counts kept as CSR in the memory of the machine, or in a memory-mapped file."""

    def __init__(self, counts: sparse.csr_array, device: torch.device) -> None:
        self.counts, self.device = counts, device

    def fetch(self, rows: np.ndarray | Tensor) -> Counts:
        """Return the counts [len(rows), genes], float32: sparse on a CPU, dense on a device."""
        return on_device(take_rows(self.counts, np.asarray(rows)), self.device)


class DeviceRows:
    """Counts kept as CSR on the training device, in the smallest types that hold them exactly.

    Only the minibatch is made dense, on the device, by calls whose shapes depend on the number of
    cells alone and which never wait for a number: so they can be recorded and replayed. Rows are
    therefore read as if all were as long as the longest; what is read beyond a row's end goes to
    a place behind the matrix, one for each cell.
    """

    def __init__(self, counts: sparse.csr_array, device: torch.device) -> None:
        self.n_genes, self.device = counts.shape[1], device
        lengths = np.diff(counts.indptr)
        self.starts = torch.tensor(counts.indptr, dtype=torch.int64, device=device)
        self.columns = upload(counts.indices, column_type(self.n_genes), device)
        self.values = upload(counts.data, value_type(counts.data), device)
        self.ladder = torch.arange(int(lengths.max(initial=0)), device=device)

    def fetch(self, rows: np.ndarray | Tensor) -> Tensor:
        """Return the counts [len(rows), genes], float32, on the training device."""
        cells = torch.as_tensor(rows, dtype=torch.int64, device=self.device)
        n_cells, starts = len(cells), self.starts[cells, None]
        entry = starts + self.ladder
        inside = entry < self.starts[cells + 1, None]
        entry = entry.clamp_max(len(self.values) - 1)
        row = torch.arange(n_cells, device=self.device)[:, None]
        behind = n_cells * self.n_genes + row
        place = torch.where(inside, row * self.n_genes + self.columns[entry], behind)
        flat = torch.zeros(n_cells * (self.n_genes + 1), device=self.device)
        flat.scatter_(0, place.view(-1), self.values[entry].float().view(-1))
        return flat[: n_cells * self.n_genes].view(n_cells, self.n_genes)


def value_type(values: np.ndarray) -> torch.dtype:
    """Return the smallest type that holds every value exactly: uint8, int16 or float32."""
    largest = 0.0
    for block in blocks(values, UPLOAD_BLOCK):
        if not (np.floor(block) == block).all() or block.min() < 0:
            return torch.float32
        largest = max(largest, float(block.max()))
    small = (torch.uint8, torch.int16)  # torch has few functions for unsigned 16-bit integers
    return next((kind for kind in small if largest <= torch.iinfo(kind).max), torch.float32)


def column_type(n_genes: int) -> torch.dtype:
    """Return the smallest type that holds the number of every gene: int16 or int32."""
    return torch.int16 if n_genes <= torch.iinfo(torch.int16).max else torch.int32


def upload(values: np.ndarray, kind: torch.dtype, device: torch.device) -> Tensor:
    """Return `values` on `device` as another type; read block by block, they may be a file."""
    target = torch.empty(len(values), dtype=kind, device=device)
    for start in range(0, len(values), UPLOAD_BLOCK):
        block = np.array(values[start : start + UPLOAD_BLOCK])
        target[start : start + len(block)] = torch.from_numpy(block).to(kind)
    return target


def rows_of(counts: sparse.csr_array | StoredCounts, device: torch.device) -> Rows:
    """Keep the counts on a CUDA device where they fit, else in the memory of the machine.

    Those of a store stay there; a part of them is in memory.
    """
    if isinstance(counts, StoredCounts):
        return StoredRows(counts, device)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kinds = column_type(counts.shape[1]), value_type(counts.data)
        if counts.nnz * sum(kind.itemsize for kind in kinds) < DEVICE_SHARE * free:
            return DeviceRows(counts, device)
    return HostRows(counts, device)


def blocks(rows: np.ndarray, size: int = PREDICT_BATCH) -> Iterator[np.ndarray]:
    """Yield the row numbers in order, at most `size` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
