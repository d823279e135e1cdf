"""Going on from an earlier model after types were added, removed, renamed or reordered."""

import re

import numpy as np
import torch
from torch import Tensor

from scanvi_core.module import SCANVI

# Weights whose last columns belong to the labels: every layer of the two z2 networks.
LABEL_COLUMNS = re.compile(r"(encoder_z2_z1\.encoder|decoder_z1_z2\.decoder)\..*\.0\.weight")
OWN = re.compile(r"y_prior|groups_index\..*|classifier_groups\..*")


def carry_over(old: SCANVI, new: SCANVI, source: np.ndarray) -> None:
    """Copy the weights of `old` into `new`, in place, type by type.

    Types that the old model did not know start from the mean of those it knew. The prior of the
    types and the networks of their groups stay as `new` was built.

    Parameters
    ----------
    old, new
        Models of the same genes, batches and settings; only their types differ.
    source
        For each type of `new` [K], its code in `old`, or -1.
    """
    before = old.state_dict()
    output = [name for name in before if name.startswith("classifier.")][-2:]
    with torch.no_grad():
        for name, target in new.state_dict().items():
            if OWN.fullmatch(name):
                continue
            value = before[name].to(target.device)
            if name in output:
                value = pick(value, source, 0)
            elif LABEL_COLUMNS.fullmatch(name):
                shared = value.shape[1] - old.n_labels
                columns = pick(value[:, shared:], source, 1)
                value = torch.cat([value[:, :shared], columns], dim=1)
            elif name == "px_r" and new.dispersion == "gene-label":
                value = pick(value, source, 1)
            target.copy_(value)


def pick(value: Tensor, source: np.ndarray, axis: int) -> Tensor:
    """Take the entries `source` along `axis`; where it is -1, the mean of all entries."""
    with_mean = torch.cat([value, value.mean(axis, keepdim=True)], dim=axis)
    last = value.shape[axis]
    positions = torch.as_tensor(np.where(source < 0, last, source), device=value.device)
    return with_mean.index_select(axis, positions)
