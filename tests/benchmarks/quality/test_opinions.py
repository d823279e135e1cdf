"""Bad witnesses do no harm: a short form of the benchmark, on linear models of real cells.

Where a witness need not show first that it tells anything (`SHOWN`), a random one changes
predictions by chance.
"""

import numpy as np
import pytest

from benchmarks.quality import opinions
from benchmarks.speed import refit
from scanvi_core.annotation.model.calibration import fit_temperature
from scanvi_core.annotation.model.linear_models import ensemble, fit_linear_models
from scanvi_core.annotation.model.out_of_fold import linear_models_out_of_fold
from tests import SHARED

# 200 rounds are enough for the accuracy of a regression on genes; the program ends there, too
pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")

SETS = ("tms_liver", "pbmc68k_reduced_counts")
SHOWN, HARM = 0.1, 0.001  # of the labels; less than one cell
BAD = (*opinions.BAD, ", ".join(opinions.BAD))
needs_data = pytest.mark.skipif(
    not (SHARED / "data").exists(), reason="the data sets of ../shared/data are not there"
)


def judged(cells, seed):
    """Return what the linear models say, in place of the whole model, as `opinions.trained`."""
    random, y = np.random.default_rng(seed), np.full(len(cells.types), -1)
    for code in np.unique(cells.types):
        rows = random.permutation(np.flatnonzero(cells.types == code))
        y[rows[: max(refit.LEAST, round(SHOWN * len(rows)))]] = code
    fitted = fit_linear_models(cells.counts, y, cells.n_types, random)
    own = linear_models_out_of_fold(
        cells.counts, y, cells.n_types, random, components=fitted.space
    )
    calibration = fit_temperature(own, y)
    p = calibration.apply(ensemble(*fitted.predict(cells.counts)))
    return {"y": y, "p": p, "judged": calibration.apply(own)}


@pytest.fixture(scope="module", params=SETS)
def rows(request):
    cells = refit.load(request.param)
    measured = [opinions.measured(cells, seed, judged(cells, seed)) for seed in range(2)]
    return {own[0]["party"]: own for own in map(list, zip(*measured, strict=True))}


@needs_data
@pytest.mark.slow
def test_bad_witnesses_alone_and_together_do_no_harm(rows):
    for party in (name for name in BAD if opinions.PERMUTED not in name):
        for row in rows[party]:
            assert row["pooled"] >= row["alone"] - HARM, row
            assert row["likelihood pooled"] >= row["likelihood alone"] - HARM, row


@needs_data
@pytest.mark.slow
def test_a_good_witness_helps_alone_and_among_bad_ones(rows):
    for party in (opinions.GOOD, ", ".join((opinions.GOOD, *opinions.BAD))):
        gained = [row["pooled"] - row["alone"] for row in rows[party]]
        assert np.mean(gained) > 0, rows[party]
    permuted = rows[opinions.PERMUTED]  # wrong everywhere, and as telling
    assert np.mean([row["pooled"] - row["alone"] for row in permuted]) > 0, permuted
