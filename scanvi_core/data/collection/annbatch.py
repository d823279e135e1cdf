"""The reading of a collection's rows by annbatch's loader, and what that needs.

Python 3.12 or newer and the extra ``scale``. Where zarrs is installed it unpacks the blocks:
training then reads 1.9 times as many cells per second of the processor as with zarr's own code
(`python -m benchmarks.scale.collection`).
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np
import scipy.sparse as sp

from scanvi_core.errors import InputError
from scanvi_core.runtime import worker_threads

NEEDED_PYTHON = (3, 12)
INSTEAD = (
    "On one machine you do not need it: open a single .h5ad, whose project reads its counts from "
    "the disk as well."
)


def annbatch() -> Any:
    """Return the library.

    Raises
    ------
    InputError
        If it is not installed, or Python is too old for it.
    """
    if sys.version_info < NEEDED_PYTHON:
        here = ".".join(map(str, sys.version_info[:2]))
        raise InputError(
            f"Collections of files need Python 3.12 or newer (annbatch does); this is {here}.",
            f"Set the program up with a newer Python and '.[scale]'. {INSTEAD}",
        )
    if find_spec("annbatch") is None:
        raise InputError(
            "Collections of files need the library annbatch, which is not installed.",
            f"Install it with pip install -c constraints.txt -e '.[scale]'. {INSTEAD}",
        )
    return import_module("annbatch")


def unpacking() -> dict[str, Any]:
    """Return zarr's settings: unpack with zarrs where it is installed, and leave pages a core."""
    if find_spec("zarrs") is None:
        return {}
    import_module("zarrs")
    return {
        "codec_pipeline.path": "zarrs.ZarrsCodecPipeline",
        "threading.max_workers": worker_threads(),
    }


class AnnbatchRows:
    """Rows of a collection through annbatch's loader, driven by a sampler of ours.

    The loader asks its sampler for requests, each made of runs of rows and of minibatches among
    them. Here a pass is one request with one minibatch, which holds the runs as they are: so the
    loader reads and unpacks all blocks of all parts together and decides nothing.

    Parameters
    ----------
    parts
        zarr groups of AnnData with counts by row.
    """

    def __init__(self, parts: list[Any]) -> None:
        from anndata.io import sparse_dataset

        self._asked, self._lock = _Asked(), Lock()
        self._settings = unpacking()
        self._loader = annbatch().Loader(batch_sampler=self._asked, preload_to_gpu=False)
        with self._zarr():
            self._loader.add_datasets([sparse_dataset(part["X"]) for part in parts])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return int(self._loader.n_obs), int(self._loader.n_var)

    def read(self, runs: list[slice]) -> sp.csr_array:
        """Return the rows of all runs, one run after the other."""
        n_rows = sum(run.stop - run.start for run in runs)
        with self._lock, self._zarr():
            self._asked.request = {"requests": runs, "splits": [np.arange(n_rows)]}
            (batch,) = self._loader
        return sp.csr_array(batch["X"])

    def _zarr(self) -> Any:
        from zarr import config

        return config.set(self._settings)


class _Asked:
    """annbatch's sampler protocol: the one request that was made."""

    request: dict[str, Any]

    def sample(self, n_obs: int) -> Iterator[dict[str, Any]]:  # noqa: ARG002  (its protocol)
        yield self.request
