"""Our model against scVI 0.6.8, whose signature it keeps: same weights, inputs and noise.

The numbers in `scvi_068.safetensors` were made by the code of that release itself, run under
today's torch; benchmarks/reference/make_reference_068.py made them and tells how. It has no live
variant: the release shares its package name with scvi-tools and cannot be installed beside it.
"""

import math

import pytest
import torch

from scanvi_core.module import SCANVI

G, K, S = 20, 3, 2
PRIOR = [[0.1, 0.5, 0.4]]
LIKELIHOODS, DISPERSIONS = ("nb", "zinb"), ("gene", "gene-batch", "gene-cell")


def toy(shared, n_layers=1, **options):
    shape = {"n_hidden": 16, "n_latent": 4, "n_layers": n_layers, "dropout_rate": 0.0}
    module = SCANVI(G, S, K, y_prior=torch.tensor(PRIOR), parity=True, **shape, **options)
    return shared.load(module, n_layers).eval()


@pytest.mark.parametrize("likelihood", [0, 1], ids=LIKELIHOODS)
@pytest.mark.parametrize("dispersion", [0, 1, 2], ids=DISPERSIONS)
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("labeled", [0, 1], ids=["unlabeled", "labeled"])
def test_forward_gives_the_same_triple(
    old, shared, share_noise, close, likelihood, dispersion, n_layers, labeled
):
    x, batch, y = (shared[f"cells/{name}"] for name in ("x", "batch", "y"))
    options = {
        "reconstruction_loss": LIKELIHOODS[likelihood],
        "dispersion": DISPERSIONS[dispersion],
    }
    module = toy(shared, n_layers, **options)
    eps_z2 = shared["cells/eps_z2"][: len(x) if labeled else None]
    share_noise(shared["cells/eps_z1"], shared["cells/eps_l"], eps_z2)
    library = (torch.full((len(x), 1), value).double() for value in (3.5, 0.4))
    reconstruction, kl, zero = module(x, *library, batch[:, None], y[:, None] if labeled else None)
    expected = old["triples"][likelihood, dispersion, n_layers - 1, labeled]
    # By batch the old dispersion is in single precision, as is its one-hot.
    tolerance = 1e-6 if DISPERSIONS[dispersion] == "gene-batch" else 1e-11
    close(reconstruction, expected[0], tolerance)
    close(kl, expected[1], 1e-7)
    assert zero == 0.0


def test_classify_gives_the_same_probabilities(old, shared, close):
    x = shared["cells/x"]
    close(toy(shared).classify(x[:7]), old["probabilities"], 1e-12)


def test_group_classifier_gives_the_same_probabilities(old, shared, close):
    module = toy(shared, labels_groups=[0, 0, 1], use_labels_groups=True)
    part = old.part("groups")
    expected = part.pop("probabilities")
    module.load_state_dict(part, strict=False)
    # 1e-7: the old rows sum to one less 1e-8 over the mass of the group.
    close(module.classify(shared["cells/x"]), expected, 1e-7)


def test_old_classification_loss_is_ours_through_a_second_softmax(old, shared, share_noise):
    """Ours takes the softmax once; the old one has a floor that no classifier can go below."""
    x, batch, y = (shared[f"cells/{name}"] for name in ("x", "batch", "y"))
    module = toy(shared, use_observed_lib_size=True)
    share_noise(shared["cells/eps_z1"], shared["cells/eps_z2"])
    terms = module.loss(x, batch, labeled=(x[:7], y[:7]))
    twice = torch.nn.functional.cross_entropy(terms.log_probs_labeled.exp(), y[:7])
    assert twice.item() == pytest.approx(old["classification"].item(), rel=1e-12)
    module.classifier.classifier[1].weight.data.zero_()
    module.classifier.classifier[1].bias.data = torch.tensor([0.0, 50.0, 0.0]).double()
    share_noise(shared["cells/eps_z1"], shared["cells/eps_z2"])
    certain = module.loss(x, batch, labeled=(x[:7], torch.ones(7)))
    assert certain.classification.item() == pytest.approx(0, abs=1e-12)
    twice = torch.nn.functional.cross_entropy(
        certain.log_probs_labeled.exp(), torch.ones(7).long()
    )
    assert twice.item() == pytest.approx(math.log(1 + (K - 1) / math.e), rel=1e-9)


def test_state_has_as_many_entries(old):
    assert len(SCANVI(20, 2, 3).state_dict()) == old["n_state"].item()
