"""New batches mapped onto a trained model that stays as it is (Lotfollahi et al. 2022, scArches).

Reference: "Mapping single-cell data to reference atlases by transfer learning", Nature
Biotechnology 40. Only columns that new batches add to the network are trained: those of the
decoder's batch covariate, and of a dispersion by batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from scanvi_core.annotation.model.align import match_genes, select_columns
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.network import network
from scanvi_core.data.blocks.rows import filled_rows
from scanvi_core.errors import InputError
from scanvi_core.module import SCANVI
from scanvi_core.nn.networks import Decoded
from scanvi_core.nn.noise import drawing_from
from scanvi_core.nn.sparse import dense
from scanvi_core.train.history import TrainingHistory
from scanvi_core.train.loader import rows_of
from scanvi_core.train.sampler import EpochSampler


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """How new batches are learned: steps, cells per step, step size of Adam, and the seed."""

    n_steps: int = 300
    batch_size: int = 128
    learning_rate: float = 3e-2
    seed: int = 0


def map_query(
    reference: Annotator,
    counts: sparse.csr_array,
    genes: Sequence[str],
    batches: Sequence[str],
    settings: QuerySettings | None = None,
) -> Annotator:
    """Return `reference` with the batches of a query added to it; `reference` is not changed.

    What it gives: cells of the new batches can be decoded, so that their expression and their
    differences from reference cells come out freed of the batch effect. What it does not: the
    encoder never sees the batch, so states, probabilities and names of all cells, those of the
    query included, are bit for bit what `reference.predict` says of them. A query whose batch
    effect moves its cells in the map needs a training with both; so does a treatment that
    switches on what reference cells never expressed, of which frozen output layers can show only
    a part.

    Cells of batches the reference knows, and cells without counts, are not learned from. Genes
    missing in the query are read as zeros by the encoder and left out of what the new columns
    are fitted to. New columns start from the mean of the old ones; no weight decay acts on them,
    and batch norm and dropout are as in prediction.

    Parameters
    ----------
    reference
        The trained model.
    counts
        Counts of the query [n, g].
    genes
        Names of its columns, matched by name.
    batches
        Name of each cell's batch [n]; those the reference does not know become its batches, in the
        order in which they come.
    settings
        How the new batches are learned.

    Raises
    ------
    InputError
        If too few genes are those of the model, or there is not one batch name per cell.
    """
    if len(batches) != counts.shape[0]:
        raise InputError(
            f"There are {len(batches)} batch names for {counts.shape[0]} cells.",
            "Give the name of each cell's batch.",
        )
    positions = match_genes(genes, reference.genes)
    own = select_columns(sparse.csr_array(counts, dtype=np.float32), positions)
    names = [str(name) for name in batches]
    new = tuple(dict.fromkeys(name for name in names if name not in reference.batch_names))
    mapped = replace(
        reference,
        batch_names=reference.batch_names + new,
        module=extended(reference, len(new)),
        history=TrainingHistory(),
        validation=np.zeros(0, dtype=bool),
    )
    batch_index = mapped.batch_codes(names)
    rows = np.flatnonzero((batch_index >= len(reference.batch_names)) & filled_rows(own))
    if rows.size:
        query = _Query(mapped.module, own[rows], batch_index[rows], positions >= 0)
        _learn(query, reference, settings or QuerySettings())
    missing = np.count_nonzero(positions < 0)
    mapped.history.notes.append(
        f"{len(new)} batches added; {missing} of {len(positions)} genes were missing in them."
    )
    return mapped


def extended(reference: Annotator, n_new: int) -> SCANVI:
    """Return a copy of the network with room for `n_new` more batches.

    A tensor that grows does so in its last columns, which start from the mean of the columns of
    the old batches. A network of one batch has none: its batch then gets columns of zeros, which
    leave what it decodes as it was.
    """
    old, n_old = reference.module, len(reference.batch_names)
    module = network(
        len(reference.genes),
        n_old + n_new,
        reference.label_names,
        reference.groups,
        reference.model_config,
    ).to(old.device)
    before = old.state_dict()
    with torch.no_grad():
        for name, target in module.state_dict().items():
            value = before[name]
            grown = target.shape[-1] - value.shape[-1] if value.ndim else 0
            if grown == n_new + n_old:
                value = torch.cat([value, value.new_zeros(len(value), grown)], dim=1)
            elif grown:
                start = value[:, -n_old:].mean(1, keepdim=True)
                value = torch.cat([value, start.expand(-1, grown)], dim=1)
            target.copy_(value)
    return module.eval()


@dataclass(frozen=True, slots=True)
class _Query:
    """The cells new batches are learned from; `seen` marks the genes that they have."""

    module: SCANVI
    counts: sparse.csr_array
    batch_index: np.ndarray
    seen: np.ndarray


def _learn(query: _Query, reference: Annotator, settings: QuerySettings) -> None:
    """Fit the new columns, and nothing else, to the counts of the query."""
    before = reference.module.state_dict()
    n_new = query.module.n_batch - len(reference.batch_names)
    weights = [p for name, p in query.module.named_parameters() if p.shape != before[name].shape]
    columns = [w.detach()[:, -n_new:].clone() for w in weights]
    optimizer = torch.optim.Adam(columns, lr=settings.learning_rate)
    random = np.random.default_rng(settings.seed)
    sampler = EpochSampler(len(query.batch_index), settings.batch_size, random)
    device = query.module.device
    noise = torch.Generator(device).manual_seed(settings.seed)
    source = rows_of(query.counts, device)
    with drawing_from(noise):
        for _ in range(settings.n_steps):
            rows = sampler.take()
            batch = torch.as_tensor(query.batch_index[rows], device=device)
            loss = _unexplained(query.module, dense(source.fetch(rows)), batch, query.seen)
            # Only these gradients are taken, so that nothing else can move.
            gradients = torch.autograd.grad(loss, weights)
            for column, gradient in zip(columns, gradients, strict=True):
                column.grad = gradient[:, -n_new:].contiguous()
            optimizer.step()
            with torch.no_grad():
                for weight, column in zip(weights, columns, strict=True):
                    weight[:, -n_new:] = column


def _unexplained(module: SCANVI, x: Tensor, batch: Tensor, seen: np.ndarray) -> Tensor:
    """Return the mean of −log p(x | z1, batch) over the genes seen, at a draw of q(z1 | x).

    The other terms of the bound do not depend on the batch. Shares are taken among the genes
    seen: those that were not measured say nothing.
    """
    with torch.no_grad():
        z1 = module.draw(module.encode(x))
        observed = module.use_observed_lib_size
        library = x.sum(-1, keepdim=True).log() if observed else module.encode_library(x).mean
        q = module.log_q_y(z1).exp()
    decoded = module.decode(z1, library, batch)
    genes = torch.as_tensor(np.flatnonzero(seen), device=x.device)
    log_scale = decoded.log_scale[:, genes]
    r, zi_logits = (None if t is None else t[:, genes] for t in decoded[2:])
    log_share = log_scale.logsumexp(-1, keepdim=True)
    part = Decoded(log_scale - log_share, library, r, zi_logits)
    if module.dispersion == "gene-label":
        thetas = [module.theta(decoded, batch, k)[..., genes] for k in range(module.n_labels)]
        nll = [module.negative_log_likelihood(x[:, genes], part, theta) for theta in thetas]
        return (q.T * torch.stack(nll)).sum(0).mean()
    theta = module.theta(decoded, batch)[..., genes]
    return module.negative_log_likelihood(x[:, genes], part, theta).mean()
