"""Where the random numbers of the networks come from: one generator, set for a while.

The generator belongs to the thread, not to a module: a training and a map drawn beside it do not
disturb each other.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_local = threading.local()


@contextmanager
def drawing_from(generator: torch.Generator | None) -> Iterator[None]:
    """Draw the noise of this thread from `generator` for a while; None changes nothing."""
    before = generator_in_use()
    _local.generator = before if generator is None else generator
    try:
        yield
    finally:
        _local.generator = before


def generator_in_use() -> torch.Generator | None:
    """Return the generator the noise comes from; None is torch's default."""
    return getattr(_local, "generator", None)


def normal_like(like: Tensor) -> Tensor:
    """Return standard normal noise of the shape of `like`."""
    return torch.empty_like(like).normal_(generator=generator_in_use())


def words_like(like: Tensor) -> Tensor:
    """Return uniform 16-bit integers, as numbers of the type and shape of `like`."""
    # Four from each 64-bit draw: drawing is what costs.
    words = torch.empty((like.numel() + 3) // 4, dtype=torch.int64, device=like.device)
    words.random_(-(2**63), None, generator=generator_in_use())
    return words.view(torch.int16)[: like.numel()].view(like.shape).to(like.dtype)
