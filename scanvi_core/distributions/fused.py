"""The log-likelihood of whole cells, Σ_g log p(x_g), with its gradient in closed form.

The same numbers as :mod:`scanvi_core.distributions.negative_binomial` and automatic
differentiation, many times faster: most counts are 0, where neither log-gammas nor digammas are
needed, so those are computed at the counts above 0 only. With u = mu/theta, v = log NB(0) and
ψ the digamma function::

    v = −theta · log(1 + u)           ∂log mu = (x − mu) / (1 + u)
    log NB(x) = v + x · log(u / (1 + u)) + a(x),   a(x) = Σ_{k<x} log(theta + k) − log x!
    ∂theta = u / (1 + u) − log(1 + u) + b(x) − x / (theta + mu),   b(x) = Σ_{k<x} 1 / (theta + k)

Where theta is one per gene, a and b of small counts come from a table of the genes; else
log NB(x) and ∂theta are formed so that no digits are lost, with ρ(z) = ψ(z) − log z.

Zero inflation with p = σ(w) multiplies the gradients at x = 0 by s = σ(v − w), the probability
that the zero is none of p's, and adds ∂w = (1 − p) − s; at x > 0 s is 1.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor
from torch.autograd.function import once_differentiable

from scanvi_core.distributions.negative_binomial import (
    SERIES_FROM,
    log_ratio,
    nb_log_prob_positive,
)

TABLE = 16  # counts up to this are looked up; most are far below


class Positive(NamedTuple):
    """The counts above 0: `values` [n], and their int64 `positions` [n] in [cells, genes]."""

    values: Tensor
    positions: Tensor


Terms = tuple[Tensor, ...]  # log p(x) and its slopes in log mu, theta and w, [cells, genes] each


def log_likelihood(
    x: Tensor | Positive, log_mu: Tensor, theta: Tensor, zi_logits: Tensor | None
) -> Tensor:
    """Return Σ_g log p(x_g) for each cell, NB, or ZINB if `zi_logits` are given.

    Parameters
    ----------
    x
        Counts [cells, genes], all computed alike, as GPUs like it; or those above 0 alone, with
        which the rest costs little.
    log_mu, zi_logits
        Logarithms of the means and logits of a structural zero, [cells, genes].
    theta
        Inverse dispersion, [genes] or [cells, genes].

    Returns
    -------
    Tensor
        [cells]. Differentiable once, with respect to `log_mu`, `theta` and `zi_logits`.
    """
    values, positions = x if isinstance(x, Positive) else (x, None)
    return _LogLikelihood.apply(values, positions, log_mu, theta, zi_logits)


class _LogLikelihood(torch.autograd.Function):
    """Computes the gradients in the forward pass, where their parts are at hand."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, at: Tensor | None, log_mu: Tensor, theta: Tensor, w: Tensor | None
    ) -> Tensor:
        if at is None:
            value, *slopes = run("dense", dense_terms, x, log_mu, theta, w)
        else:
            value, *slopes = sparse_terms(Positive(x, at), log_mu, theta, w)
        ctx.save_for_backward(*slopes)
        ctx.theta_per_gene = theta.ndim == 1
        return value.sum(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        d_mu, d_theta, *d_w = ctx.saved_tensors
        column = grad[:, None]
        grad_theta = grad @ d_theta if ctx.theta_per_gene else column * d_theta
        grad_w = column * d_w[0] if d_w else None
        return None, None, column * d_mu, grad_theta, grad_w


def sparse_terms(x: Positive, log_mu: Tensor, theta: Tensor, w: Tensor | None) -> Terms:
    """Return the terms of every entry: first as if all counts were 0, then those above 0 anew."""
    terms = run("zero", zero_terms, log_mu, theta, w)
    at = x.positions
    anew = list(positive_terms(x.values, pick(log_mu, at), theta, at))
    if w is not None:
        anew = inflate(anew, pick(w, at))
    for tensor, values in zip(terms, anew, strict=True):
        tensor.view(-1).index_copy_(0, at, values)
    return terms


def dense_terms(x: Tensor, log_mu: Tensor, theta: Tensor, w: Tensor | None) -> Terms:
    """Return the terms of every entry, in the same few steps for all, none waiting for a count."""
    mu, some = log_mu.exp(), x.where(x > 0, 1.0)
    value, d_theta = formula_terms(some, log_mu, theta)
    anew = [value, (some - mu) / (1.0 + mu / theta), d_theta]
    if w is not None:
        anew = inflate(anew, w)
    zero = zero_terms(log_mu, theta, w)
    return tuple(torch.where(x > 0, a, z) for a, z in zip(anew, zero, strict=True))


def inflate(nb: list[Tensor], w: Tensor) -> list[Tensor]:
    """Turn the NB terms of counts above 0 into those of the ZINB."""
    value, *slopes = nb
    return [value - F.softplus(w), *slopes, -torch.sigmoid(w)]


def zero_terms(log_mu: Tensor, theta: Tensor, w: Tensor | None) -> tuple[Tensor, ...]:
    """Return log p(0) and its slopes in log mu, theta and, if given, w; all [cells, genes]."""
    mu = log_mu.exp()
    u = mu / theta
    shrink = torch.reciprocal(u + 1.0)
    log_1u = torch.log1p(u)
    d_theta = u.mul_(shrink).sub_(log_1u)
    d_mu = mu.mul_(shrink).neg_()
    value = log_1u.mul_(theta).neg_()
    if w is None:
        return value, d_mu, d_theta
    odds = value - w
    s = torch.sigmoid(odds)
    value = F.softplus(odds).sub_(F.softplus(-w))
    return value, d_mu.mul_(s), d_theta.mul_(s), torch.sigmoid(-w).sub_(s)


def positive_terms(
    x: Tensor, log_mu: Tensor, theta: Tensor, at: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log NB(x) and its slopes in log mu and theta at the counts above 0.

    `x` and `log_mu` [n] are those of the flat positions `at`, `theta` is that of all.
    """
    if theta.ndim > 1:
        theta = pick(theta, at)
        u = log_mu.exp() / theta
        value, d_theta = formula_terms(x, log_mu, theta)
        return value, (x - log_mu.exp()) / (1.0 + u), d_theta
    gene = at % len(theta)
    spread = theta.index_select(0, gene)
    mu = log_mu.exp()
    u = mu / spread
    shrink, log_1u = torch.reciprocal(u + 1.0), torch.log1p(u)
    sums, slopes = _tables(theta)
    entry = gene * TABLE + x.clamp(1.0, TABLE).long() - 1
    log_p = log_mu - theta.log().index_select(0, gene) - log_1u  # of u / (1 + u)
    value = x * log_p - spread * log_1u + sums.index_select(0, entry)
    d_theta = u * shrink - log_1u + (slopes.index_select(0, entry) - x * shrink / spread)
    rest = ((x > TABLE) | (x != x.floor())).nonzero()[:, 0]
    if len(rest):
        value[rest], d_theta[rest] = formula_terms(x[rest], log_mu[rest], spread[rest])
    return value, (x - mu) * shrink, d_theta


def run(name: str, function: Callable[..., Terms], *inputs: Tensor | None) -> Terms:
    """Call `function`, compiled for inputs of this kind if `compile_terms` did that."""
    compiled = _compiled.get(_kind(name, inputs))
    if compiled is None:
        return function(*inputs)
    # Compiled for tensors without a history: with one it would be compiled anew.
    return compiled(*(None if t is None else t.detach() for t in inputs))


def compile_terms(
    *,
    dense: bool,
    per_cell: bool,
    zero_inflated: bool,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> None:
    """Compile the dense arithmetic of the likelihood; later calls of its kind are faster.

    Takes some seconds, during which others go on as before. The numbers stay the same up to
    rounding.

    Parameters
    ----------
    dense
        For dense counts; else for those given as `Positive`.
    per_cell, zero_inflated
        Whether theta is [cells, genes], and whether there are `zi_logits`.
    device, dtype
        Where the tensors will be, and of which type.

    Raises
    ------
    Exception
        Whatever torch says when there is no working compiler; nothing changes then.
    """
    name, function = ("dense", dense_terms) if dense else ("zero", zero_terms)
    mu = torch.ones(24, 40, device=device, dtype=dtype)
    x = (mu.clone(),) if dense else ()
    theta = mu.clone() if per_cell else mu[0].clone()
    inputs = (*x, mu, theta, mu.clone() if zero_inflated else None)
    kind = _kind(name, inputs)
    if kind not in _compiled:
        # In this thread alone: workers would be processes that outlive the run.
        options: dict[str, Any] = {"compile_threads": 1}
        compiled = torch.compile(function, dynamic=True, fullgraph=True, options=options)
        with torch.no_grad():
            compiled(*inputs)
        _compiled[kind] = compiled


_compiled: dict[tuple[Any, ...], Callable[..., Terms]] = {}


def _kind(name: str, inputs: Sequence[Tensor | None]) -> tuple[Any, ...]:
    return name, *(None if t is None else (t.ndim, t.dtype, t.device.type) for t in inputs)


def pick(dense: Tensor, at: Tensor) -> Tensor:
    """Return the entries of a dense tensor at flat positions."""
    return dense.reshape(-1).index_select(0, at)


def _tables(theta: Tensor) -> tuple[Tensor, Tensor]:
    """Return a(x) and b(x) for every gene and x = 1 to TABLE, flat [genes · TABLE]."""
    k = torch.arange(TABLE, dtype=theta.dtype, device=theta.device)
    term = theta[:, None] + k
    sums = torch.cumsum(torch.log(term) - torch.log(k + 1.0), 1)
    return sums.view(-1), torch.cumsum(torch.reciprocal(term), 1).view(-1)


def formula_terms(x: Tensor, log_mu: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Return log NB(x) and its slope in theta for x > 0 of any size."""
    mu = log_mu.exp()
    n, excess = x + theta, x - mu
    shared = theta + mu
    log_shared = log_ratio(-excess / n, shared / n)
    slope = digamma_less_log(n) - digamma_less_log(theta) - log_shared - excess / shared
    return nb_log_prob_positive(x, mu, theta), slope


def digamma_less_log(z: Tensor) -> Tensor:
    """Return ρ(z) = ψ(z) − log z, for z > 0."""
    small, large = z.clamp_max(SERIES_FROM), z.clamp_min(SERIES_FROM)
    u = 1.0 / (large * large)
    tail = u * (1 / 12 - u * (1 / 120 - u * (1 / 252 - u * (1 / 240 - u / 132))))
    exact = torch.digamma(small) - torch.log(small)
    return torch.where(z < SERIES_FROM, exact, -0.5 / large - tail)
