"""What a method is given, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import nan
from pathlib import Path

import numpy as np
from scipy import sparse


@dataclass(frozen=True, slots=True)
class Task:
    """Everything a method may know.

    Parameters
    ----------
    counts
        Counts of the chosen genes [n, genes], CSR, float32.
    y
        Codes of the labels [n], -1 where hidden; every one of the types 0 to K - 1 is shown.
    batch
        Batch codes [n] from 0; all 0 where there is one batch.
    seed
        Start of the method's random draws.
    threads
        Threads it may use.
    cache
        Folder where it may keep what depends on counts, batch and seed alone.
    """

    counts: sparse.csr_array
    y: np.ndarray
    batch: np.ndarray
    seed: int
    threads: int
    cache: Path

    @property
    def n_types(self) -> int:
        """Number of types K."""
        return int(self.y.max()) + 1


@dataclass(frozen=True, slots=True)
class Answer:
    """Probabilities [n, K] by the name they are listed under, and what they cost.

    `seconds` went by on the wall, `cpu_seconds` were spent computing: on one thread of an idle
    machine the two are equal, on a busy one only the second means something.
    """

    probabilities: dict[str, np.ndarray]
    seconds: float
    cpu_seconds: float
    versions: dict[str, str] = field(default_factory=dict)
    peak_rss_mb: float = nan


Method = Callable[[Task], dict[str, np.ndarray]]
