"""What is asked of a file before its counts are read."""

from functools import partial

import numpy as np
import pytest

from scanvi_core.data.anndata_files.checks import check_memory
from scanvi_core.data.blocks.hdf5 import MatrixSource
from scanvi_core.errors import FileRefused


def test_a_thousand_million_values_by_row_need_less_than_8_gb():
    big = partial(MatrixSource, "X", None, (1_000_000, 30_000))
    for stored in ("csr", "dense"):
        source = big(stored, np.dtype("f4"), 10**9)
        assert check_memory(source, 10**9, 8_000) < 1_000
    with pytest.raises(FileRefused, match="Not enough memory"):
        check_memory(big("csc", np.dtype("f4"), 10**9), 10**9, 8_000)
