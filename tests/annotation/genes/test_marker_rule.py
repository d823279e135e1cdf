"""Rules of markers, as users write them."""

import pytest

from scanvi_core.annotation.genes.marker_rule import Marker, known_markers, parse_rule
from scanvi_core.errors import InputError

GENES = ["CD3D", "MS4A1", "HLA-DRA", "Cd8a", "CD8B", "RP11-34.2"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("MS4A1+", [("MS4A1", True, 0.0)]),
        ("MS4A1", [("MS4A1", True, 0.0)]),
        ("CD3D+, MS4A1-", [("CD3D", True, 0.0), ("MS4A1", False, 0.0)]),
        ("CD3D>1.5", [("CD3D", True, 1.5)]),
        ("CD3D < 1.5; HLA-DRA+", [("CD3D", False, 1.5), ("HLA-DRA", True, 0.0)]),
        ("HLA-DRA-", [("HLA-DRA", False, 0.0)]),
        ("ms4a1 +", [("MS4A1", True, 0.0)]),
        ("CD8A+", [("Cd8a", True, 0.0)]),
        ("RP11-34.2−", [("RP11-34.2", False, 0.0)]),
    ],
)
def test_rules_are_read_as_terms_of_known_genes(rule, expected):
    assert known_markers(rule, GENES) == [Marker(*term) for term in expected]


def test_an_unknown_gene_gets_close_names():
    with pytest.raises(InputError, match="CD8 could be CD8B or Cd8a"):
        known_markers("CD8+", GENES)
    with pytest.raises(InputError, match=r"CD80 is not in the data.*CD8B"):
        known_markers("CD80+", GENES)
    with pytest.raises(InputError, match="MS4A1"):
        known_markers("MS4AI+", GENES)


@pytest.mark.parametrize("rule", ["", " , ", "CD3D>", "CD3D>x", ">2"])
def test_what_is_no_rule_is_refused(rule):
    with pytest.raises(InputError):
        parse_rule(rule)
