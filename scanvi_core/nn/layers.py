"""The fully connected block all networks are made of, and dropout with its own random numbers."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from scanvi_core.errors import SettingInvalid

BATCH_NORM_MOMENTUM = 0.01
BATCH_NORM_EPS = 1e-3
STEPS = 2**16  # resolution of the dropout rate


class Dropout(nn.Module):
    """Silence entries with probability `rate` while training and scale up the others.

    Attributes
    ----------
    generator
        Source of the random numbers; None takes torch's default. Unlike `torch.nn.Dropout` this
        makes a training run repeatable without touching the global seed.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def forward(self, h: Tensor) -> Tensor:
        """Return `h` with entries silenced; unchanged outside training."""
        if not self.training or self.rate == 0.0:
            return h
        silenced = round(self.rate * STEPS)
        return h * (self._noise(h) >= silenced - STEPS // 2) * (STEPS / (STEPS - silenced))

    def _noise(self, h: Tensor) -> Tensor:
        """Return uniform 16-bit integers, four from each draw: drawing is what costs."""
        words = torch.empty((h.numel() + 3) // 4, dtype=torch.int64, device=h.device)
        words.random_(-(2**63), None, generator=self.generator)
        return words.view(torch.int16)[: h.numel()].view(h.shape)

    def extra_repr(self) -> str:
        """Show the rate where torch prints the module."""
        return f"rate={self.rate}"


class SplitLinear(nn.Linear):
    """The linear map of a concatenation (h, c) of tensors that only have to broadcast."""

    def forward(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Return ``W_h h + W_c c + b``; without `c` an ordinary linear map."""
        if c is None:
            return F.linear(h, self.weight, self.bias)
        n_h = h.shape[-1]
        return F.linear(h, self.weight[:, :n_h], self.bias) + F.linear(c, self.weight[:, n_h:])


class FCLayers(nn.Module):
    """Layers of linear map, norm, ReLU and dropout, with covariates fed to every one of them.

    The covariates' columns stand last in each weight matrix. A layer computes
    ``W_h h + W_c c + b``, the map of the concatenation ``(h, c)``, without building it: `h` and
    the one-hot covariates only have to broadcast. ``h`` [1, cells, n_in] with labels
    [n_labels, 1, n_labels] gives every label for every cell and maps `h` once.

    Parameters
    ----------
    n_in, n_out
        Width of the input and of the last layer; layers before it have width `n_hidden`.
    n_cats
        Number of categories of each covariate; one with fewer than two is ignored.
    use_layer_norm
        Layer norm without parameters in place of batch norm.

    Notes
    -----
    Batch norm pools all leading axes: with labels stacked, every label weighs the same.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        n_cats: Sequence[int] = (),
        *,
        n_layers: int = 1,
        n_hidden: int = 128,
        dropout_rate: float = 0.1,
        use_layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.n_cats = tuple(n_cats)
        n_covariates = sum(n for n in self.n_cats if n > 1)
        widths = [n_in, *[n_hidden] * (n_layers - 1), n_out]
        self.fc_layers = nn.Sequential()
        for i, (before, after) in enumerate(pairwise(widths)):
            norm: nn.Module = (
                nn.LayerNorm(after, elementwise_affine=False)
                if use_layer_norm
                else nn.BatchNorm1d(after, momentum=BATCH_NORM_MOMENTUM, eps=BATCH_NORM_EPS)
            )
            layer = nn.Sequential(
                SplitLinear(before + n_covariates, after), norm, nn.ReLU(), Dropout(dropout_rate)
            )
            self.fc_layers.add_module(f"Layer {i}", layer)

    def forward(self, h: Tensor, *covariates: Tensor | None) -> Tensor:
        """Map `h` [..., cells, n_in] to [..., cells, n_out].

        Raises
        ------
        SettingInvalid
            If a covariate with several categories is missing.
        """
        one_hots = [
            one_hot(covariate, n, h.dtype)
            for covariate, n in zip(covariates, self.n_cats, strict=True)
            if n > 1
        ]
        c = torch.cat(one_hots, dim=-1) if one_hots else None
        for layer in self.fc_layers:
            linear, norm, *rest = layer.children()
            h = linear(h, c)
            h = norm(h.reshape(-1, h.shape[-1])).view_as(h)
            for step in rest:
                h = step(h)
        return h


def one_hot(covariate: Tensor | None, n: int, dtype: torch.dtype) -> Tensor:
    """Return a covariate one-hot [..., n]; it may be that already, or an index [cells(, 1)].

    Raises
    ------
    SettingInvalid
        If the covariate is None although it has several categories.
    """
    if covariate is None:
        raise SettingInvalid(
            f"The model was built with a covariate of {n} categories, but none was given.",
            "Pass the batch (or label) of each cell.",
        )
    if covariate.ndim > 1 and covariate.shape[-1] == n:
        return covariate.to(dtype)
    return F.one_hot(covariate.reshape(-1).long(), n).to(dtype)


def draw_weights(module: nn.Module, generator: torch.Generator | None) -> None:
    """Draw all linear maps anew: weights and biases uniform within ±1/√fan_in (torch's rule)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            with torch.no_grad():
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.uniform_(-bound, bound, generator=generator)
