"""The networks of the model: two Gaussian maps, the decoder of the counts, the classifier."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from scanvi_core.nn.layers import FCLayers, HiddenLayers
from scanvi_core.nn.sparse import Counts

VARIANCE_FLOOR = 1e-4


class Gaussian(NamedTuple):
    """A diagonal Gaussian: `mean` and `var`, both [..., n_latent]."""

    mean: Tensor
    var: Tensor


class Decoded(NamedTuple):
    """What the decoder says about each cell and gene; every tensor is [cells, genes].

    `log_scale` is the logarithm of shares that sum to one over the genes, `log_library` [cells, 1]
    the log of the expected total, `r` the log inverse dispersion (None unless it varies by cell),
    `zi_logits` the logit of a structural zero (None without zero inflation).
    """

    log_scale: Tensor
    log_library: Tensor
    r: Tensor | None
    zi_logits: Tensor | None

    @property
    def scale(self) -> Tensor:
        """Share of each gene in the expected total."""
        return self.log_scale.exp()

    @property
    def log_rate(self) -> Tensor:
        """Logarithm of the expected counts."""
        return self.log_scale + self.log_library

    @property
    def rate(self) -> Tensor:
        """Expected counts."""
        return self.log_rate.exp()


class Encoder(nn.Module):
    """q(output | input, covariate): mean, and variance = exp(linear) + floor."""

    def __init__(self, n_input: int, n_output: int, hidden: HiddenLayers, n_cat: int = 0) -> None:
        super().__init__()
        self.encoder = FCLayers(n_input, hidden.n_hidden, hidden, (n_cat,))
        self.mean_encoder = nn.Linear(hidden.n_hidden, n_output)
        self.var_encoder = nn.Linear(hidden.n_hidden, n_output)

    def forward(self, x: Counts, covariate: Tensor | None = None) -> Gaussian:
        """Map `x` [..., n_input] to a Gaussian [..., n_output]."""
        h = self.encoder(x, covariate)
        return gaussian(h, self.mean_encoder, self.var_encoder, VARIANCE_FLOOR)


class GaussianDecoder(nn.Module):
    """p(z1 | z2, y): mean, and variance = exp(linear) + `variance_floor`.

    Without a floor (the published form) the density can grow without bound where the variance
    collapses.
    """

    def __init__(
        self,
        n_input: int,
        n_output: int,
        hidden: HiddenLayers,
        n_cat: int = 0,
        *,
        variance_floor: float = VARIANCE_FLOOR,
    ) -> None:
        super().__init__()
        n_hidden = hidden.n_hidden
        self.decoder = FCLayers(n_input, n_hidden, hidden.without_dropout(), (n_cat,))
        self.mean_decoder = nn.Linear(n_hidden, n_output)
        self.var_decoder = nn.Linear(n_hidden, n_output)
        self.variance_floor = variance_floor

    def forward(self, z: Tensor, covariate: Tensor | None = None) -> Gaussian:
        """Map `z` [..., n_input] to a Gaussian [..., n_output]."""
        h = self.decoder(z, covariate)
        return gaussian(h, self.mean_decoder, self.var_decoder, self.variance_floor)


def gaussian(h: Tensor, mean: nn.Linear, log_var: nn.Linear, floor: float) -> Gaussian:
    """Return the Gaussian with this mean and variance = exp(linear) + floor, in one product."""
    weight = torch.cat([mean.weight, log_var.weight])
    both = F.linear(h, weight, torch.cat([mean.bias, log_var.bias]))
    at_mean, at_log_var = both.split(mean.out_features, dim=-1)
    return Gaussian(at_mean, at_log_var.exp() + floor)


class Decoder(nn.Module):
    """p(x | z1, batch): scale, total and, where the likelihood needs them, r and zero inflation.

    All three heads exist in every model, so that weights can be exchanged between likelihoods;
    a head that is not needed is neither computed nor trained.
    """

    def __init__(
        self,
        n_input: int,
        n_output: int,
        hidden: HiddenLayers,
        n_cat: int = 0,
        *,
        r_per_cell: bool = False,
        zero_inflated: bool = True,
    ) -> None:
        super().__init__()
        n_hidden = hidden.n_hidden
        self.px_decoder = FCLayers(n_input, n_hidden, hidden.without_dropout(), (n_cat,))
        self.px_scale_decoder = nn.Sequential(nn.Linear(n_hidden, n_output), nn.LogSoftmax(dim=-1))
        self.px_r_decoder = nn.Linear(n_hidden, n_output).requires_grad_(r_per_cell)
        self.px_dropout_decoder = nn.Linear(n_hidden, n_output).requires_grad_(zero_inflated)
        self.r_per_cell = r_per_cell
        self.zero_inflated = zero_inflated

    def forward(self, z: Tensor, library: Tensor, covariate: Tensor | None = None) -> Decoded:
        """Decode `z` [cells, n_input] with log library sizes [cells, 1]."""
        h = self.px_decoder(z, covariate)
        return Decoded(
            log_scale=self.px_scale_decoder(h),
            log_library=library,
            r=self.px_r_decoder(h) if self.r_per_cell else None,
            zi_logits=self.px_dropout_decoder(h) if self.zero_inflated else None,
        )


class Classifier(nn.Module):
    """Unnormalized log-probabilities of the labels; no layers or width 0 makes it one linear map.

    It never applies a softmax: probabilities are made once, by whoever needs them.
    """

    def __init__(self, n_input: int, n_labels: int, hidden: HiddenLayers) -> None:
        super().__init__()
        self.classifier = nn.Sequential()
        if hidden.n_layers > 0 and hidden.n_hidden > 0:
            self.classifier.append(FCLayers(n_input, hidden.n_hidden, hidden))
            n_input = hidden.n_hidden
        self.classifier.append(nn.Linear(n_input, n_labels))

    def forward(self, z: Tensor) -> Tensor:
        """Map `z` [..., n_input] to logits [..., n_labels]."""
        return self.classifier(z)
