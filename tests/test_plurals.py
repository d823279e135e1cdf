"""Numbers in sentences."""

import pytest

from scanvi_core.plurals import count, sizes


def test_a_number_has_its_noun():
    assert (count(1, "cell"), count(2_638, "cell")) == ("1 cell", "2,638 cells")
    assert count(2, "person", "people") == "2 people"


@pytest.mark.parametrize(
    ("needed", "there", "said"),
    [
        (2.5e9, 1e9, ("2.5 GB", "1.0 GB")),
        (6.2e6, 1.5e6, ("6.2 MB", "1.5 MB")),
        (1.04e9, 1.03e9, ("1.04 GB", "1.03 GB")),
        (10_000_001, 10_000_000, ("10.000001 MB", "10.000000 MB")),
    ],
)
def test_two_sizes_that_are_compared_never_look_alike(needed, there, said):
    assert sizes(needed, there) == said
