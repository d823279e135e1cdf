import numpy as np
from scipy import sparse

from scanvi_core.annotation.model import out_of_fold
from scanvi_core.annotation.model.out_of_fold import linear_models_out_of_fold, stratified_folds
from scanvi_core.datasets import simulate

Y = np.array([0] * 13 + [1] * 5 + [2] * 2 + [3] + [-1] * 4 + [4] * 3)  # 4: known as a group only


def folds(seed=0):
    return stratified_folds(Y, 4, np.random.default_rng(seed))


def test_each_type_is_dealt_evenly():
    for seed in range(10):
        counts = np.bincount(folds(seed)[Y == 0], minlength=5)
        assert sorted(counts) == [2, 2, 3, 3, 3]
        assert np.bincount(folds(seed)[:20]).tolist() == [4] * 5


def test_cells_without_a_type_and_lone_cells_have_no_fold():
    assert (folds()[20:] == -1).all() and (folds()[:20] >= 0).all()


def test_the_draw_decides_who_goes_where():
    assert np.array_equal(folds(1), folds(1)) and not np.array_equal(folds(1), folds(2))


def cells(n=160):
    found = simulate(n, 80, 1, 3, marker_fold=6.0, random=np.random.default_rng(0))
    return sparse.csr_array(found.X), found.labels[:, 0]


def test_no_cell_is_judged_by_a_model_that_saw_its_label(monkeypatch):
    counts, y = cells()
    shown, asked = [], []
    fit = out_of_fold.fit_linear_models

    def watched(counts_, y_, *rest, **options):
        shown.append(y_ >= 0)
        fitted = fit(counts_, y_, *rest, **options)
        return Watched(fitted)

    class Watched:
        def __init__(self, fitted):
            self.fitted = fitted

        def predict(self, own):
            asked.append(own.shape[0])
            return self.fitted.predict(own)

    monkeypatch.setattr(out_of_fold, "fit_linear_models", watched)
    p = linear_models_out_of_fold(counts, y, 3, np.random.default_rng(1))
    assert len(shown) == 5 and np.isfinite(p).all()
    assert all(n == (~seen).sum() for n, seen in zip(asked, shown, strict=True))
    assert (sum(~seen for seen in shown) == 1).all()


def test_a_wrong_label_does_not_teach_its_own_judgment():
    counts, y = cells()
    clean = linear_models_out_of_fold(counts, y, 3, np.random.default_rng(1))
    rows = np.flatnonzero((clean.argmax(1) == y) & (clean.max(1) > 0.95))[:8]
    y[rows] = (y[rows] + 1) % 3
    judged = linear_models_out_of_fold(counts, y, 3, np.random.default_rng(1))
    assert (judged[rows].argmax(1) != y[rows]).all()


def test_cells_without_a_fold_are_nan_and_others_sum_to_one():
    counts, y = cells()
    y[:30] = -1
    p = linear_models_out_of_fold(counts, y, 3, np.random.default_rng(1))
    assert np.isnan(p[:30]).all() and np.allclose(p[30:].sum(1), 1, atol=1e-5)


def test_permuted_labels_give_chance():
    counts, y = cells(600)
    y = np.random.default_rng(2).permutation(y)
    p = linear_models_out_of_fold(counts, y, 3, np.random.default_rng(1))
    assert (p.argmax(1) == y).mean() < 0.5


def test_types_too_rare_for_the_other_folds_do_not_stop_it():
    counts, y = cells(40)
    y = np.where(np.arange(40) < 6, np.array([0, 0, 1, 1, 2, 2] + [0] * 34), -1)
    p = linear_models_out_of_fold(counts, y, 3, np.random.default_rng(1))
    assert np.isfinite(p[:6]).all() and np.isnan(p[6:]).all()


def test_cells_judged_in_blocks_are_judged_alike(monkeypatch):
    counts, y = cells()
    whole = linear_models_out_of_fold(counts, y, 3, np.random.default_rng(0))
    monkeypatch.setattr(out_of_fold, "BLOCK", 5)
    found = linear_models_out_of_fold(counts, y, 3, np.random.default_rng(0))
    assert np.allclose(found, whole, atol=1e-6, equal_nan=True)


def test_cells_of_one_type_are_judged_by_nobody():
    counts, y = cells()
    only = np.where(y == 0, 0, -1)
    assert np.isnan(linear_models_out_of_fold(counts, only, 3, np.random.default_rng(0))).all()
