"""Labels that leave any set of types open, against sums over the types one by one."""

import itertools

import pytest
import torch

from scanvi_core.errors import SettingInvalid
from scanvi_core.module import SCANVI

G, S, K, L = 6, 2, 4, 2
SETS = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]]).bool()  # overlapping, not nested
PRIOR = [0.4, 0.3, 0.2, 0.1]
CODES = torch.tensor([-1, 0, 3, 4, 5, 6, 4, 5])  # none, a type, each set


def make(**options):
    options = {"use_observed_lib_size": True, "dropout_rate": 0.0, "y_prior": PRIOR} | options
    module = SCANVI(G, S, K, n_hidden=8, n_latent=L, **options)
    module.draw_parameters(torch.Generator().manual_seed(0))
    return module.double().eval()


@pytest.fixture
def cells(monkeypatch):
    """Counts, batches, and one draw of noise for whatever is drawn for a cell."""
    noise = torch.randn(len(CODES), L, generator=torch.Generator().manual_seed(2)).double()
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean + q.var.sqrt() * noise)
    x = torch.poisson(
        torch.full((len(CODES), G), 3.0), generator=torch.Generator().manual_seed(1)
    ).double()
    return x, torch.arange(len(CODES)) % S


def opened(code):
    """Return the types a code leaves open."""
    if code < 0:
        return list(range(K))
    return [code] if code < K else torch.nonzero(SETS[code - K]).ravel().tolist()


@pytest.mark.parametrize("dispersion", ["gene", "gene-batch", "gene-label", "gene-cell"])
@pytest.mark.parametrize("groups", [None, [0, 0, 1, 1]])
def test_the_bound_of_a_set_is_the_mean_over_its_types(cells, dispersion, groups):
    x, batch = cells
    module = make(dispersion=dispersion, labels_groups=groups, label_sets=SETS,
                  use_labels_groups=groups is not None)  # fmt: skip
    got = sum(module(x, batch_index=batch, y=CODES)[:2])
    # The bound with the type known, for each type by itself, has all but the choice of the type.
    known = torch.stack(
        [sum(module(x, batch_index=batch, y=torch.full_like(CODES, k))[:2]) for k in range(K)]
    )
    log_q = module.log_q_y(module.draw(module.encode(x)))
    for cell, code in enumerate(CODES.tolist()):
        own = opened(code)
        q = log_q[cell, own].exp() / log_q[cell, own].exp().sum()
        prior = torch.tensor(PRIOR).double()[own] / sum(PRIOR[k] for k in own)
        expected = (q * (known[own, cell] + q.log() - prior.log())).sum()
        torch.testing.assert_close(got[cell], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("groups", [None, [0, 0, 1, 1]])
def test_the_label_term_of_a_set_is_the_probability_of_its_types_together(cells, groups):
    x, batch = cells
    module = make(label_sets=SETS, labels_groups=groups, use_labels_groups=groups is not None)
    p = module.classify(x)
    expected = -torch.stack([p[i, opened(c)].sum().log() for i, c in enumerate(CODES.tolist())])
    got = module.loss(x, batch, labeled=(x, CODES)).classification
    torch.testing.assert_close(got, expected.mean(), rtol=1e-9, atol=0)


def test_predictions_stay_within_what_the_label_leaves_open(cells):
    x, _ = cells
    module = make(label_sets=SETS)
    with torch.no_grad():
        within, p = module.predict(x, CODES)[0], module.classify(x)
    for cell, code in enumerate(CODES.tolist()):
        own = opened(code)
        torch.testing.assert_close(within[cell, own], p[cell, own] / p[cell, own].sum())
        assert within[cell].sum() == pytest.approx(1)


def test_sets_that_are_the_groups_give_the_very_same_numbers(cells):
    x, batch = cells
    groups, y = [0, 0, 1, 1], torch.tensor([-1, 0, 3, 4, 5, 5, 4, 1])
    members = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1]]).bool()
    for use in (False, True):
        options = {"labels_groups": groups, "use_labels_groups": use}
        before, now = make(**options), make(**options, label_sets=members)
        now.load_state_dict(before.state_dict())
        for one, two in zip(
            before(x, batch_index=batch, y=y), now(x, batch_index=batch, y=y), strict=True
        ):
            assert torch.equal(torch.as_tensor(one), torch.as_tensor(two))
        assert torch.equal(
            before.loss(x, batch, y, labeled=(x, y)).loss,
            now.loss(x, batch, y, labeled=(x, y)).loss,
        )


@pytest.mark.parametrize("sets", [torch.zeros(1, K), torch.ones(2, K - 1), torch.ones(K)])
def test_a_set_of_nothing_or_of_other_labels_is_refused(sets):
    with pytest.raises(SettingInvalid, match="label_sets"):
        make(label_sets=sets)


def test_every_set_of_types_can_be_a_label(cells):
    x, batch = cells
    every = torch.tensor([c for c in itertools.product([False, True], repeat=K) if any(c)])
    module = make(label_sets=every)
    y = K + torch.arange(len(every))
    x, batch = x[:1].expand(len(every), G), batch[:1].expand(len(every))
    p = module.classify(x[:1])[0]
    for code in y.tolist():
        loss = module.loss(x[:1], batch[:1], labeled=(x[:1], torch.tensor([code])))
        torch.testing.assert_close(loss.classification, -p[every[code - K]].sum().log())
