import numpy as np
import pytest
import torch

from scanvi_core.module import SCANVI
from scanvi_core.nn.noise import drawing_from
from scanvi_core.train.warmstart import carry_over

WIDTH = 4  # as wide as there are labels: only names tell the axes apart


def network(n_labels, seed, dispersion="gene"):
    module = SCANVI(
        12, 2, n_labels, n_hidden=WIDTH, n_latent=4, n_layers=2, dropout_rate=0.0,
        dispersion=dispersion, reconstruction_loss="nb", use_observed_lib_size=True,
    )  # fmt: skip
    module.draw_parameters(torch.Generator().manual_seed(seed))
    return module.eval()


@pytest.fixture
def x():
    return torch.poisson(torch.full((6, 12), 3.0), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dispersion", ["gene", "gene-label"])
def test_reordered_types_keep_their_probabilities_and_states(x, dispersion):
    old, new = network(4, 0, dispersion), network(4, 1, dispersion)
    source = np.array([2, 0, 3, 1])
    carry_over(old, new, source)
    with torch.no_grad():
        assert torch.allclose(new.classify(x), old.classify(x)[:, source], atol=1e-6)
        for ours, theirs in zip(new.get_latents(x), old.get_latents(x), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-5)
        for code in range(4):
            y, before = torch.full((6,), code), torch.full((6,), int(source[code]))
            batch = torch.zeros(6, dtype=torch.long)
            with drawing_from(torch.Generator().manual_seed(3)):
                ours = new(x, batch_index=batch, y=y)
            with drawing_from(torch.Generator().manual_seed(3)):
                theirs = old(x, batch_index=batch, y=before)
            assert torch.allclose(ours[0], theirs[0], rtol=1e-4)


def test_a_removed_type_leaves_the_others_in_proportion(x):
    old, new = network(4, 0), network(3, 1)
    carry_over(old, new, np.array([0, 1, 3]))
    with torch.no_grad():
        rest = old.classify(x)[:, [0, 1, 3]]
        assert torch.allclose(new.classify(x), rest / rest.sum(1, keepdim=True), atol=1e-6)


def test_a_new_type_starts_from_the_mean_of_the_others(x):
    old, new = network(4, 0), network(5, 1)
    carry_over(old, new, np.array([0, 1, 2, 3, -1]))
    with torch.no_grad():
        before, after = old.classify(x).log(), new.classify(x).log()
        assert torch.allclose(after[:, 4], after[:, :4].mean(1), atol=1e-5)
        gap = after[:, :4] - before
        assert torch.allclose(gap, gap[:, :1].expand(-1, 4), atol=1e-5)


def test_the_prior_stays_that_of_the_new_model():
    old, new = network(3, 0), network(3, 1)
    new.y_prior.data = torch.tensor([[0.2, 0.3, 0.5]])
    carry_over(old, new, np.array([0, 1, 2]))
    assert torch.equal(new.y_prior, torch.tensor([[0.2, 0.3, 0.5]]))
