import numpy as np
import pytest
from scipy import sparse

from scanvi_core.annotation.model.out_of_fold import linear_models_out_of_fold
from scanvi_core.annotation.uncertainty.label_errors import check_labels
from scanvi_core.datasets import simulate


def labels(n=2000, k=5, sharp=1.0, sureness=3.0, seed=0):
    """True types drawn from known probabilities; return these, sharpened, and the types."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, k)) * sureness
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = np.array([random.choice(k, p=p) for p in true])
    p = true**sharp
    return p / p.sum(1, keepdims=True), y


def spoil(y, share, k, seed=0):
    """Return the labels with a share of them changed, and which those are."""
    random = np.random.default_rng(seed)
    bad = np.zeros(len(y), dtype=bool)
    bad[random.permutation(len(y))[: round(share * len(y))]] = True
    return np.where(bad, (y + random.integers(1, k, len(y))) % k, y), bad


def test_injected_errors_come_first():
    p, y = labels(sureness=6.0)
    given, bad = spoil(y, 0.05, 5)
    found = check_labels(p, given)
    assert bad[np.argsort(-found.score)[:80]].mean() >= 0.85


def test_most_flagged_labels_are_wrong():
    p, y = labels(sureness=6.0)
    given, bad = spoil(y, 0.05, 5)
    found = check_labels(p, given)
    assert found.flagged.sum() > 40 and bad[found.flagged].mean() > 0.85


def test_the_share_of_wrong_labels_is_estimated():
    p, y = labels(n=4000, sureness=6.0)
    assert check_labels(p, spoil(y, 0.08, 5)[0]).share == pytest.approx(0.08, abs=0.02)
    assert check_labels(p, y).share < 0.01


@pytest.mark.parametrize("sharp", [1.0, 3.0])
def test_clean_labels_are_hardly_ever_flagged(sharp):
    """The rate is that of sets with any flag, as no flag is right; over-confidence is undone."""
    flags = [check_labels(*labels(300, sharp=sharp, seed=s)).flagged.sum() for s in range(25)]
    assert np.mean(np.array(flags) > 0) <= 0.2  # nominal 0.1, and chance


def test_the_temperature_undoes_overconfidence():
    assert check_labels(*labels(4000, sharp=2.0)).temperature == pytest.approx(2.0, rel=0.1)


def test_the_score_is_the_posterior_of_a_wrong_label():
    p, y = labels(sureness=6.0, n=8_000)
    given, bad = spoil(y, 0.1, 5)
    score = check_labels(p, given).score
    for low, high in ((0.2, 0.5), (0.5, 0.8), (0.8, 1.01)):
        own = (score >= low) & (score < high)
        assert bad[own].mean() == pytest.approx(score[own].mean(), abs=0.08)


def test_the_suggestion_is_the_likeliest_other_type():
    p = np.tile([0.7, 0.2, 0.1], (30, 1))
    y = np.repeat([0, 1, 2], 10)
    assert check_labels(p, y).suggestion.tolist() == [1] * 10 + [0] * 20


def test_cells_without_judgment_are_left_alone():
    p, y = labels(300)
    p[:5], y[5:8] = np.nan, -1
    found = check_labels(p, y)
    assert np.isnan(found.score[:8]).all() and not found.flagged[:8].any()
    assert (found.suggestion[:8] == -1).all() and not np.isnan(found.score[8:]).any()


def test_without_labels_there_is_nothing_to_check():
    found = check_labels(np.full((4, 3), np.nan), np.full(4, -1))
    assert np.isnan(found.score).all() and found.share == 0


def test_simulated_cells_with_clean_labels_are_not_flagged_and_spoiled_ones_are_found():
    cells = simulate(400, 150, 1, 4, marker_fold=6.0, random=np.random.default_rng(0))
    counts, y = sparse.csr_array(cells.X), cells.labels[:, 0]
    p = linear_models_out_of_fold(counts, y, 4, np.random.default_rng(1))
    assert check_labels(p, y).flagged.sum() <= 1
    given, bad = spoil(y, 0.05, 4)
    p = linear_models_out_of_fold(counts, given, 4, np.random.default_rng(1))
    found = check_labels(p, given)
    assert bad[np.argsort(-found.score)[: bad.sum()]].mean() >= 0.8
