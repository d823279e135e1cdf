"""No damage to a file ends in more than a sentence, and none changes silently what is in it.

100 files of each kind; 1,000 with SCANVI_FUZZ=all (``python -m tests.fuzz``).
"""

import os

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from tests.data.intake.damage import changes, fuzzing

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

ALL = os.environ.get("SCANVI_FUZZ") == "all"
N_LOOKS, N_READS = (1_000, 1_000) if ALL else (100, 15)
SUMMED = {"csv.gz", "rds", "zarr.zip"}  # kinds of which every byte is in a checksum
DYING = 0.1  # ended by the watchdog in HDF5's endless loops; the parent says so in a sentence


@pytest.mark.parametrize("kind", fuzzing.KINDS)
def test_no_damage_ends_in_more_than_a_sentence(kind):
    found = fuzzing.run(kind, N_LOOKS)
    print(kind, "looked at:", dict(found))
    assert set(found) <= {fuzzing.SOUND, fuzzing.REFUSED, fuzzing.DIED}
    assert found[fuzzing.REFUSED] > 0 or kind in fuzzing.JUDGED_LATER
    assert found[fuzzing.DIED] <= DYING * N_LOOKS
    assert found.total() == N_LOOKS


@pytest.mark.parametrize("kind", fuzzing.KINDS)
def test_what_is_read_of_a_damaged_file_is_the_same_or_a_sentence_says_so(kind):
    found = fuzzing.run(kind, N_READS, fuzzing.read)
    print(kind, "read:", dict(found))
    allowed = {changes.SAME, changes.TOLD, fuzzing.ASKED, fuzzing.REFUSED, fuzzing.DIED}
    assert set(found) <= (allowed if kind in SUMMED else {*allowed, changes.VALUES})
    assert found.total() == N_READS


def taken(**changed):
    sound = {
        "counts": sp.csr_matrix(np.eye(60, 40)),
        "obs": pd.DataFrame({"type": ["a", "b"] * 30}, [f"c{i}" for i in range(60)]),
        "var": pd.DataFrame(index=[f"g{i}" for i in range(40)]),
        "embeddings": (), "said": frozenset({"sound"}),
    }  # fmt: skip
    return changes.Taken(**(sound | changed))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, changes.SAME),
        ({"counts": sp.csr_matrix(np.eye(60, 40) * 2)}, changes.VALUES),
        ({"counts": sp.csr_matrix(np.ones((60, 40)))}, changes.SILENT),
        ({"counts": sp.csr_matrix(np.eye(59, 40))}, changes.SILENT),
        ({"counts": sp.csr_matrix(np.eye(59, 40)), "said": frozenset({"a"})}, changes.TOLD),
        ({"obs": pd.DataFrame(index=[f"c{i}" for i in range(60)])}, changes.SILENT),
        ({"var": pd.DataFrame(index=[f"g{i}" for i in range(39)] + ["g0"])}, changes.SILENT),
        ({"embeddings": ("X_pca",)}, changes.SILENT),
    ],
)
def test_a_change_is_told_from_what_a_damaged_byte_can_hide(changed, expected):
    assert changes.compare(taken(), taken(**changed)).startswith(expected)
