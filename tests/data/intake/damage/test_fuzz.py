"""No damage to a file ends in more than a sentence.

100 files of each kind; 1,000 with SCANVI_FUZZ=all (``python -m tests.fuzz``).
"""

import os

import pytest

from tests.data.intake.damage import fuzzing

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

ALL = os.environ.get("SCANVI_FUZZ") == "all"
N_LOOKS, N_READS = (1_000, 1_000) if ALL else (100, 5)
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
def test_reading_what_is_damaged_ends_in_a_sentence(kind):
    found = fuzzing.run(kind, N_READS, fuzzing.read)
    print(kind, "read:", dict(found))
    assert set(found) <= {fuzzing.SOUND, fuzzing.REFUSED, fuzzing.DIED}
    assert found.total() == N_READS
