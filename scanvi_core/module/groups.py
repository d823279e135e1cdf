"""Labels: their prior, what is known of them, and the groups that are classified first."""

from collections.abc import Sequence

import torch
from torch import Tensor

from scanvi_core.errors import SettingInvalid


def check_groups(labels_groups: Sequence[int], n_labels: int) -> Tensor:
    """Return the group of each label as an index [n_labels].

    Raises
    ------
    SettingInvalid
        Unless there is one group for each label and the groups are numbered 0, 1, 2, ...
    """
    groups = [int(group) for group in labels_groups]
    if len(groups) != n_labels:
        raise SettingInvalid(
            f"labels_groups names {len(groups)} groups for {n_labels} labels.",
            "Give each label exactly one group.",
        )
    if set(groups) != set(range(max(groups) + 1)):
        raise SettingInvalid(
            f"labels_groups holds the group numbers {sorted(set(groups))}.",
            "Number the groups 0, 1, 2, ... without gaps.",
        )
    return torch.tensor(groups)


def check_prior(y_prior: Tensor | Sequence[float] | None, n_labels: int) -> Tensor:
    """Return the prior weights of the labels [1, n_labels]; uniform if None.

    Raises
    ------
    SettingInvalid
        Unless there is one finite weight above 0 for each label.
    """
    if y_prior is None:
        return torch.full((1, n_labels), 1.0 / n_labels)
    prior = torch.as_tensor(y_prior, dtype=torch.get_default_dtype()).detach().clone()
    if prior.shape not in ((n_labels,), (1, n_labels)):
        raise SettingInvalid(
            f"y_prior has the shape {list(prior.shape)} for {n_labels} labels.",
            "Give one weight for each label.",
        )
    if not bool((torch.isfinite(prior) & (prior > 0)).all()):
        raise SettingInvalid(
            f"y_prior is {prior.flatten().tolist()}.",
            "Every type needs a weight above 0; leave out a type that cannot occur.",
        )
    return prior.reshape(1, n_labels)


def label_index(y: Tensor, n_labels: int) -> Tensor:
    """Return labels as an index [cells], from an index [cells(, 1)] or one-hot [cells, n_labels].

    A one-hot row of zeros becomes -1, as an unlabeled cell is.
    """
    if y.ndim == 2 and y.shape[1] == n_labels > 1:
        return torch.where(y.sum(1) > 0, y.argmax(1), -1)
    return y.reshape(-1).long()


def members_of(groups: Tensor, n_groups: int) -> Tensor:
    """Return which labels each group holds, bool [n_groups, n_labels]."""
    return groups == torch.arange(n_groups, device=groups.device)[:, None]


def allowed_labels(n_labels: int, sets: Tensor | None) -> Tensor:
    """Return the labels each code leaves open, bool [n_labels + n_sets, n_labels].

    Code y < n_labels leaves y itself, code n_labels + s every label of set s.

    Raises
    ------
    SettingInvalid
        If a set holds no label, or is not of these labels.
    """
    single = torch.eye(n_labels, dtype=torch.bool)
    if sets is None:
        return single
    if sets.ndim != 2 or sets.shape[1] != n_labels or not bool(sets.any(dim=1).all()):
        raise SettingInvalid(
            f"label_sets has the shape {list(sets.shape)} for {n_labels} labels, or an empty row.",
            "Give one row per set, which says of each label whether it is in it.",
        )
    return torch.cat([single, sets.bool()])


def known_labels(y: Tensor, allowed: Tensor) -> Tensor:
    """Return the labels open to each cell, bool [cells, n_labels]; y = -1 leaves all of them."""
    return allowed[y.clamp_min(0)] | (y < 0)[:, None]


def restrict(log_probs: Tensor, known: Tensor) -> Tensor:
    """Return the log-probabilities given that the label is one of the `known`, renormalized."""
    return torch.log_softmax(log_probs.masked_fill(~known, -torch.inf), dim=-1)


def log_mass(log_probs: Tensor, known: Tensor) -> Tensor:
    """Return log Σ p(y) over the `known` labels, [cells]."""
    return log_probs.masked_fill(~known, -torch.inf).logsumexp(-1)


def log_hierarchy(logits: Tensor, group_logits: Tensor, groups: Tensor) -> Tensor:
    """Return log p(y) = log p(group of y) + log p(y | its group), normalized.

    Parameters
    ----------
    logits
        Of the labels [cells, n_labels]; only differences inside a group matter.
    group_logits
        Of the groups [cells, n_groups].
    groups
        Group of each label [n_labels].
    """
    members = members_of(groups, group_logits.shape[-1])
    log_group_mass = logits[:, None, :].masked_fill(~members, -torch.inf).logsumexp(-1)
    return logits + (torch.log_softmax(group_logits, dim=-1) - log_group_mass)[:, groups]
