"""Sparse minibatches must give what dense ones give, to the networks and to their gradients."""

import pytest
import torch
from scipy import sparse

from scanvi_core.module import SCANVI
from scanvi_core.nn.noise import drawing_from
from scanvi_core.nn.sparse import SparseRows, on_entries, scale_rows, total

CELLS, GENES, OUT = 7, 11, 5


@pytest.fixture
def x() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.poisson(torch.rand(CELLS, GENES, generator=generator), generator=generator).double()
    x[2] = 0  # a cell without counts,
    x[:, 4] = 0  # a gene without,
    x[-1] = 0  # and one at the end
    return x


def csr(x):
    return SparseRows.of_csr(sparse.csr_array(x.numpy()))


def test_both_ways_in_give_the_matrix_back(x):
    assert torch.equal(SparseRows.of(x).dense(), x)
    assert torch.equal(csr(x).dense(), x.float())


def test_stored_zeros_are_no_counts(x):
    stored = sparse.csr_array(x.numpy())
    stored.data[0] = 0.0
    rows = SparseRows.of_csr(stored)
    assert rows.values.all()
    assert len(rows.values) == int((x > 0).sum()) - 1


def test_product_and_its_gradient_equal_the_dense_ones(x):
    weight = torch.randn(OUT, GENES, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(CELLS, OUT, dtype=torch.float64)
    expected = x @ weight.T
    got = SparseRows.of(x).linear(weight)
    torch.testing.assert_close(got, expected)
    (wanted,) = torch.autograd.grad(expected, weight, grad)
    torch.testing.assert_close(torch.autograd.grad(got, weight, grad)[0], wanted)


def test_totals_and_scaled_and_mapped_rows_equal_the_dense_ones(x):
    rows, factor = SparseRows.of(x), torch.rand(CELLS, 1).double()
    torch.testing.assert_close(total(rows), x.sum(1, keepdim=True))
    torch.testing.assert_close(scale_rows(rows, factor).dense(), x * factor)
    torch.testing.assert_close(on_entries(torch.log1p, rows).dense(), x.log1p())


@pytest.mark.parametrize("dispersion", ["gene", "gene-batch", "gene-label", "gene-cell"])
@pytest.mark.parametrize("likelihood", ["nb", "zinb"])
@pytest.mark.parametrize("encoder_input", ["log1p", "log_normalized"])
def test_loss_and_gradients_are_those_of_a_dense_minibatch(
    monkeypatch, dispersion, likelihood, encoder_input
):
    """The path of CPUs against that of other devices, labeled and unlabeled cells."""
    torch.manual_seed(0)
    module = SCANVI(
        GENES,
        2,
        3,
        n_hidden=8,
        n_latent=4,
        dispersion=dispersion,
        reconstruction_loss=likelihood,
        encoder_input=encoder_input,
        use_observed_lib_size=True,
    ).double()
    x = torch.poisson(3 * torch.rand(CELLS, GENES).double()) + torch.eye(CELLS, GENES).double()
    batch, y = torch.arange(CELLS) % 2, torch.tensor([-1, 0, 1, 2, -1, 0, 1])
    results = []
    for dense in (False, True):
        if dense:
            for place in ("vae", "scanvi"):
                monkeypatch.setattr(f"scanvi_core.module.{place}.fastest_form", lambda x: x)
        for labels in (None, y):
            module.zero_grad()
            with drawing_from(torch.Generator().manual_seed(1)):
                terms = module.loss(x, batch, labels, labeled=(x[1:4], y[1:4]))
            terms.loss.backward()
            trained = (p for p in module.parameters() if p.requires_grad)
            results.append((terms.loss.detach(), [p.grad.clone() for p in trained]))
    for sparse_way, dense_way in zip(results[:2], results[2:], strict=True):
        torch.testing.assert_close(sparse_way, dense_way, rtol=1e-10, atol=1e-10)
