"""Where the random numbers of the networks come from: one source, set for a while.

The source belongs to the thread, not to a module: a training and a map drawn beside it do not
disturb each other.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from scanvi_core.nn.keyed import KeyedNoise

Noise = torch.Generator | KeyedNoise

_local = threading.local()


@contextmanager
def drawing_from(source: Noise | None) -> Iterator[None]:
    """Draw the noise of this thread from `source` for a while; None changes nothing."""
    before = source_in_use()
    _local.source = before if source is None else source
    try:
        yield
    finally:
        _local.source = before


def source_in_use() -> Noise | None:
    """Return what the noise comes from; None is torch's default generator."""
    return getattr(_local, "source", None)


def generator_in_use() -> torch.Generator | None:
    """Return the generator the noise comes from; None is torch's default."""
    source = source_in_use()
    return None if isinstance(source, KeyedNoise) else source


def following(source: Noise | None) -> Noise | None:
    """Return what the next group of cells in a step draws from."""
    return source.following if isinstance(source, KeyedNoise) else source


def normal_like(like: Tensor) -> Tensor:
    """Return standard normal noise of the shape of `like`."""
    source = source_in_use()
    if isinstance(source, KeyedNoise):
        return source.normal(like)
    return torch.empty_like(like).normal_(generator=source)


def words_like(like: Tensor) -> Tensor:
    """Return uniform 16-bit integers, as numbers of the type and shape of `like`."""
    source = source_in_use()
    if isinstance(source, KeyedNoise):
        return source.words(like)
    # Four from each 64-bit draw: drawing is what costs.
    words = torch.empty((like.numel() + 3) // 4, dtype=torch.int64, device=like.device)
    words.random_(-(2**63), None, generator=source)
    return words.view(torch.int16)[: like.numel()].view(like.shape).to(like.dtype)
