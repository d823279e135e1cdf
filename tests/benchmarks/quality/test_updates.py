"""Updates improve: a short form of the simulations of what decisions teach.

Named groups are not pure: a model that takes every label as certain gets worse, and these tests
then fail.
"""

import numpy as np
import pytest

from benchmarks.quality import updates
from benchmarks.speed import refit
from tests import SHARED

# 200 rounds are enough for the accuracy of a regression on genes; the program ends there, too
pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")

# Two standard errors of a difference in accuracy, of 400 cells that are judged differently in 6 %
CHANCE = 0.025
DATA = SHARED / "data"
SMALL, MIXED = "tms_liver", "pbmc68k_reduced_counts"


def after_mixed_groups(cells, draws=(0,)):
    """Return the accuracy without update, refitted and trained: 12 mixed groups, a new type.

    Means over draws of the labels: that of one depends on the processor by as much as .02.
    """
    return np.mean([_after_mixed_groups(cells, draw) for draw in draws], axis=0)


def _after_mixed_groups(cells, draw):
    model, found = refit.decided(cells, draw, hide=True)
    last = len(found["ys"]) - 1
    found[f"{refit.SOFT}{last}"] = refit.updated(cells, draw, model, found, (refit.SOFT, last))
    told = refit.judged(found, last)
    return [told[refit.WAYS[way]][0] for way in (0, 1, 4)]


@pytest.mark.slow
def test_training_on_mixed_groups_of_the_example_makes_the_model_no_worse(example):
    before, frozen, trained = after_mixed_groups(refit.read(example, "expert_label"), (0, 1))
    assert trained > max(before, frozen) - CHANCE, (before, frozen, trained)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="the data sets of ../shared/data are not there")
def test_training_on_mixed_groups_of_a_small_data_set_makes_the_model_no_worse():
    before, frozen, trained = after_mixed_groups(refit.load(SMALL))
    assert trained > max(before, frozen) - CHANCE, (before, frozen, trained)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="the data sets of ../shared/data are not there")
def test_training_on_the_cards_a_person_named_gains():
    rows = updates.measured(refit.load(MIXED), 0, new_types=True, stages=(12,))
    told = {row["way"]: row["accuracy"] for row in rows}
    assert told[updates.TIER_1] > told[updates.NONE] + CHANCE, rows
    assert told[updates.TIER_1] > told[updates.FROZEN] - CHANCE, rows
