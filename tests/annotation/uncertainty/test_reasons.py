import numpy as np

from scanvi_core.annotation.uncertainty.reasons import REASON_NAMES, weigh_reasons


def named(confidence, novel, technical, threshold=0.8):
    codes = weigh_reasons(
        np.array([confidence]), np.array([novel]), np.array([technical]), threshold
    )
    return REASON_NAMES[codes[0]]


def test_a_sure_ordinary_cell_is_ok():
    assert named(0.8, False, False) == "ok"


def test_an_unsure_cell_is_ambiguous():
    assert named(0.79, False, False) == "ambiguous"


def test_novel_explains_unsure_and_technical_explains_both():
    assert named(0.3, True, False) == "novel"
    assert named(0.99, True, False) == "novel"
    assert named(0.3, True, True) == "technical"
    assert named(0.99, False, True) == "technical"


def test_a_cell_without_counts_is_technical():
    assert named(np.nan, False, False) == "technical"


def test_codes_are_small_integers():
    codes = weigh_reasons(np.ones(3), np.zeros(3, bool), np.zeros(3, bool), 0.8)
    assert codes.dtype == np.int8 and codes.tolist() == [0, 0, 0]
