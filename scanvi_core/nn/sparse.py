"""Minibatches of counts that stay sparse: some 10 % of the counts of a cell are not 0.

On a CPU the first layer of an encoder then costs a tenth of the dense product, and logarithms,
dropout and log-gammas are computed at the counts above 0 only.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.autograd.function import once_differentiable


class SparseRows(NamedTuple):
    """A matrix [cells, genes] by rows: the entries that are not 0, as in CSR.

    Attributes
    ----------
    values
        The entries, [n].
    genes
        Column of each entry, int32 [n].
    cells
        Row of each entry, int32 [n].
    starts
        Position of the first entry of each row, int32 [cells].
    shape
        Cells and genes.
    """

    values: Tensor
    genes: Tensor
    cells: Tensor
    starts: Tensor
    shape: tuple[int, int]

    @classmethod
    def of(cls, x: Tensor) -> "SparseRows":
        """Return the dense matrix `x` [cells, genes] as sparse rows."""
        cells, genes = x.nonzero(as_tuple=True)
        starts = torch.searchsorted(cells, torch.arange(len(x), device=x.device))
        shape = x.shape[0], x.shape[1]
        return cls(x[cells, genes], genes.int(), cells.int(), starts.int(), shape)

    @classmethod
    def of_csr(cls, x: sparse.csr_array) -> "SparseRows":
        """Return a scipy matrix as sparse rows, without a copy where its types allow."""
        if not x.data.all():
            x.eliminate_zeros()
        cells = np.repeat(np.arange(x.shape[0], dtype=np.int32), np.diff(x.indptr))
        return cls(
            torch.from_numpy(np.asarray(x.data, dtype=np.float32)),
            torch.from_numpy(x.indices.astype(np.int32)),
            torch.from_numpy(cells),
            torch.from_numpy(x.indptr[:-1].astype(np.int32)),
            x.shape,
        )

    @property
    def positions(self) -> Tensor:
        """Position of each entry in the flattened dense matrix, int64 [n]."""
        return self.cells.long() * self.shape[1] + self.genes

    def replace(self, values: Tensor) -> "SparseRows":
        """Return the matrix with other entries at the same places."""
        return self._replace(values=values)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the entries."""
        return self.values.dtype

    def dense(self) -> Tensor:
        """Return the dense matrix [cells, genes]."""
        flat = self.values.new_zeros(self.shape[0] * self.shape[1])
        flat[self.positions] = self.values
        return flat.view(self.shape)

    def linear(self, weight: Tensor) -> Tensor:
        """Return the product with the transpose of `weight` [out, genes]: [cells, out]."""
        return _Product.apply(weight, self)


Counts = Tensor | SparseRows


def fastest_form(x: Counts) -> Counts:
    """Return counts in the form the networks read fastest: sparse on a CPU, dense elsewhere."""
    return SparseRows.of(x) if isinstance(x, Tensor) and x.device.type == "cpu" else x


def dense(x: Counts) -> Tensor:
    """Return counts as a dense matrix [cells, genes]."""
    return x if isinstance(x, Tensor) else x.dense()


def total(x: Counts) -> Tensor:
    """Return the sum of each row, [cells, 1]."""
    if isinstance(x, Tensor):
        return x.sum(-1, keepdim=True)
    return _sum_rows(x.values.new_ones(x.shape[1], 1), x.genes, x.starts, x.values)


def scale_rows(x: Counts, factor: Tensor) -> Counts:
    """Return each row times its `factor` [cells, 1]."""
    if isinstance(x, Tensor):
        return x * factor
    return x.replace(x.values * factor[:, 0].index_select(0, x.cells))


def on_entries(function: Callable[[Tensor], Tensor], x: Counts) -> Counts:
    """Apply `function`, which leaves 0 as it is, to every entry."""
    return function(x) if isinstance(x, Tensor) else x.replace(function(x.values))


class _Product(torch.autograd.Function):
    """The product of sparse rows with a dense matrix; the sparse side gets no gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, rows: SparseRows) -> Tensor:
        ctx.rows = rows
        by_gene = weight.detach().t().contiguous()
        return _sum_rows(by_gene, rows.genes, rows.starts, rows.values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        rows: SparseRows = ctx.rows
        order, starts = _order_by_gene(rows)
        cells, values = (part.index_select(0, order) for part in (rows.cells, rows.values))
        return _sum_rows(grad.contiguous(), cells, starts, values).t(), None


def _sum_rows(table: Tensor, chosen: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums of rows of `table`: sum i takes the entries from ``starts[i]`` on."""
    return torch.embedding_bag(table, chosen, starts, False, 0, False, weights)[0]


def _order_by_gene(rows: SparseRows) -> tuple[Tensor, Tensor]:
    """Return the entries in the order of their genes, and where each gene starts among them."""
    n = len(rows.values)
    ends = np.append(rows.starts.numpy(), np.int32(n))
    numbered = np.arange(n, dtype=np.int32), rows.genes.numpy(), ends
    by_gene = sparse.csr_array(numbered, shape=rows.shape).tocsc()
    return torch.from_numpy(by_gene.data), torch.from_numpy(by_gene.indptr[:-1])
