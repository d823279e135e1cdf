"""The fully connected block all networks are made of, and dropout with its own random numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from scanvi_core.errors import SettingInvalid
from scanvi_core.nn.noise import words_like
from scanvi_core.nn.sparse import Counts, SparseRows, dense

BATCH_NORM_MOMENTUM = 0.01
BATCH_NORM_EPS = 1e-3
STEPS = 2**16  # resolution of the dropout rate


class Dropout(nn.Module):
    """Silence entries with probability `rate` while training and scale up the others.

    Unlike `torch.nn.Dropout` it draws from the generator in use (:mod:`scanvi_core.nn.noise`),
    which makes a training run repeatable without touching the global seed.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.silenced = round(rate * STEPS)
        self.scale = STEPS / max(STEPS - self.silenced, 1)

    def forward(self, h: Tensor) -> Tensor:
        """Return `h` with entries silenced; unchanged outside training."""
        if not self.training or self.rate == 0.0:
            return h
        return where_above(h, words_like(h), self._threshold) * self.scale

    @property
    def _threshold(self) -> float:
        """What the noise of an entry that is kept exceeds."""
        return self.silenced - STEPS // 2 - 0.5

    def extra_repr(self) -> str:
        """Show the rate where torch prints the module."""
        return f"rate={self.rate}"


class ReLUDropout(Dropout):
    """The rectifier max(0, h) and dropout in one pass each way."""

    def forward(self, h: Tensor) -> Tensor:
        """Return max(0, h), with entries silenced while training."""
        if not self.training or self.rate == 0.0:
            return torch.relu(h)
        return _ReLUDropout.apply(h, words_like(h), self._threshold, self.scale)


class _ReLUDropout(torch.autograd.Function):
    """What comes out above 0 is what was above 0 and kept: the result is its own mask."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, noise: Tensor, threshold: float, scale: float) -> Tensor:
        kept = where_above(h, noise, threshold).clamp_min_(0.0).mul_(scale)
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return kept

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (kept,) = ctx.saved_tensors
        return where_above(grad, kept, 0.0).mul_(ctx.scale), None, None, None


def where_above(h: Tensor, mask: Tensor, threshold: float) -> Tensor:
    """Return `h` where ``mask > threshold``, else 0: one vectorized pass, unlike `torch.where`."""
    return torch.ops.aten.threshold_backward(h, mask, threshold)


class SplitLinear(nn.Linear):
    """The linear map of a concatenation (h, c) of tensors that only have to broadcast."""

    def forward(self, h: Counts, c: Tensor | None = None) -> Tensor:
        """Return ``W_h h + W_c c + b``; without `c` an ordinary linear map."""
        n_h = h.shape[-1]
        weight = self.weight if c is None else self.weight[:, :n_h]
        if isinstance(h, SparseRows):
            mapped = h.linear(weight) + self.bias
        else:
            mapped = F.linear(h, weight, self.bias)
        return mapped if c is None else mapped + F.linear(c, self.weight[:, n_h:])


@dataclass(frozen=True, slots=True)
class HiddenLayers:
    """The hidden layers of a network.

    Parameters
    ----------
    n_layers, n_hidden
        How many they are, and their width.
    dropout_rate
        Share of hidden units silenced while training.
    use_layer_norm
        Layer norm without parameters in place of batch norm.
    """

    n_layers: int = 1
    n_hidden: int = 128
    dropout_rate: float = 0.1
    use_layer_norm: bool = False

    def without_dropout(self) -> "HiddenLayers":
        """Return the same layers, none of whose units is ever silenced."""
        return replace(self, dropout_rate=0.0)


class FCLayers(nn.Module):
    """Layers of linear map, norm, ReLU and dropout, with covariates fed to every one of them.

    The covariates' columns stand last in each weight matrix. A layer computes
    ``W_h h + W_c c + b``, the map of the concatenation ``(h, c)``, without building it: `h` and
    the one-hot covariates only have to broadcast. ``h`` [1, cells, n_in] with labels
    [n_labels, 1, n_labels] gives every label for every cell and maps `h` once.

    Parameters
    ----------
    n_in, n_out
        Width of the input and of the last layer.
    hidden
        The layers; those before the last have their width.
    n_cats
        Number of categories of each covariate; one with fewer than two is ignored.

    Notes
    -----
    Batch norm pools all leading axes: with labels stacked, every label weighs the same.
    """

    def __init__(
        self, n_in: int, n_out: int, hidden: HiddenLayers, n_cats: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.n_cats = tuple(n_cats)
        n_covariates = sum(n for n in self.n_cats if n > 1)
        widths = [n_in, *[hidden.n_hidden] * (hidden.n_layers - 1), n_out]
        self.fc_layers = nn.Sequential()
        for i, (before, after) in enumerate(pairwise(widths)):
            norm: nn.Module = (
                nn.LayerNorm(after, elementwise_affine=False)
                if hidden.use_layer_norm
                else nn.BatchNorm1d(after, momentum=BATCH_NORM_MOMENTUM, eps=BATCH_NORM_EPS)
            )
            rectify = ReLUDropout(hidden.dropout_rate)
            layer = nn.Sequential(SplitLinear(before + n_covariates, after), norm, rectify)
            self.fc_layers.add_module(f"Layer {i}", layer)

    def forward(self, h: Counts, *covariates: Tensor | None) -> Tensor:
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
        out: Counts = h
        for layer in self.fc_layers:
            linear, norm, rectify = layer.children()
            mapped = linear(out, c)
            out = rectify(norm(mapped.reshape(-1, mapped.shape[-1])).view_as(mapped))
        return dense(out)


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
