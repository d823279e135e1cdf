"""Ribosomal and mitochondrial genes by their symbols."""

import numpy as np

from scanvi_core.data.genes.housekeeping import is_housekeeping

KNOWN = (
    "RPL3 RPL13A Rpl13a RPS4X RPS4Y1 RPS27L RPL36AL RPL7L1 RPLP0 RPSA RPL13AP5 Rps24-ps3 "
    "MT-CO1 mt-Nd1 GRCh38_RPL3 RPS27A RPL10L"
)
OTHERS = "RPS6KA1 RPS6KB2 RPS6KL1 RPS19BP1 RPN1 RPRD1A CD3D MRPL12 MTOR MT1X RPL RPA1"


def test_they_are_known_and_others_are_not():
    for names, expected in ((KNOWN, True), (OTHERS, False)):
        every = np.array(names.split())
        assert dict(zip(every, is_housekeeping(every), strict=True)) == dict.fromkeys(
            every, expected
        )
