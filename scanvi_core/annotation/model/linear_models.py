"""Two quick linear models beside SCANVI: a check on it, and a help to it.

The geometric mean of the three beat each alone on five published data sets, so it is what SCANVI
is taught halfway through its training (:mod:`.teacher`). From then on it is right about as often
as the three, and counts more than they do in what the program reports; SCANVI alone stays visible
beside it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import softmax

from scanvi_core.config import DISTILLATION
from scanvi_core.data.blocks.rows import take_rows
from scanvi_core.data.normalization import log_normalized

N_COMPONENTS = 30
GENES_C = 0.1  # inverse strength of the penalty on gene weights
COMPONENTS_C = 1.0  # the same on principal components
MAX_TYPE_CELLS = 1_000  # labeled cells per type that a linear model is fitted on
MAX_PCA_CELLS = 20_000  # cells that components are taken from
TAUGHT_WEIGHT = 4.0  # of SCANVI, once it was taught, against 1 of each; less in very short runs
DECIDED_WEIGHT = 2.0  # the same where it learned soft labels, which the linear models learn, too
FLOOR = 1e-9
FIT_STEPS = 1_000  # of the optimizer, at most; it ends sooner by its tolerance
LEAST_SHARE = 0.01  # of a soft label: of a type with less, nothing is learned


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A fitted softmax regression: `weights` [d, c], `intercepts` [c], type `codes` [c]."""

    weights: np.ndarray
    intercepts: np.ndarray
    codes: np.ndarray

    def predict(self, features: Any, n_labels: int) -> np.ndarray:
        """Return probabilities [n, n_labels]; 0 for types the model never saw."""
        scores = np.asarray(features @ self.weights) + self.intercepts
        probabilities = np.zeros((scores.shape[0], n_labels), dtype=np.float32)
        probabilities[:, self.codes] = softmax(scores, axis=1)
        return probabilities


@dataclass(frozen=True, slots=True)
class LinearModels:
    """Logistic regression on genes, and on principal components of them.

    `center` [genes] and `components` [genes, d] map log-normalized counts to components.
    """

    n_labels: int
    genes: LinearModel
    pca: LinearModel
    center: np.ndarray
    components: np.ndarray

    @property
    def space(self) -> "Components":
        """Gene means and components, in which further models of these genes may be fitted."""
        return self.center, self.components

    def predict(self, counts: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities [n, K] of the gene model and of the component model."""
        return self.predict_logs(log_normalized(counts))

    def predict_logs(self, logs: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Return what `predict` does, from log-normalized counts."""
        scores = self._project(logs)
        return self.genes.predict(logs, self.n_labels), self.pca.predict(scores, self.n_labels)

    def project(self, counts: sparse.csr_array) -> np.ndarray:
        """Return the principal components [n, d] of cells, without looking at labels."""
        return self._project(log_normalized(counts))

    def _project(self, logs: sparse.csr_matrix) -> np.ndarray:
        return np.asarray(logs @ self.components) - self.center @ self.components

    def tensors(self) -> dict[str, np.ndarray]:
        """Return every array by name, for a safetensors file."""
        arrays = {"center": self.center, "components": self.components}
        for name, model in (("genes", self.genes), ("pca", self.pca)):
            arrays[f"{name}.weights"] = model.weights
            arrays[f"{name}.intercepts"] = model.intercepts
            arrays[f"{name}.codes"] = model.codes
        return arrays

    @classmethod
    def from_tensors(cls, arrays: dict[str, np.ndarray], n_labels: int) -> "LinearModels":
        """Rebuild what `tensors` gave."""
        genes, pca = (
            LinearModel(*(arrays[f"{name}.{part}"] for part in ("weights", "intercepts", "codes")))
            for name in ("genes", "pca")
        )
        return cls(n_labels, genes, pca, arrays["center"], arrays["components"])


Components = tuple[np.ndarray, np.ndarray]  # gene means [genes], and components [genes, d]


def fit_linear_models(
    counts: sparse.csr_array,
    y: np.ndarray,
    n_labels: int,
    random: np.random.Generator,
    components: Components | None = None,
    soft: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
) -> LinearModels:
    """Fit both linear models on labeled cells; components are taken from cells of any kind.

    A cell of which only a broader type is known is fitted to what models of the other cells say
    of it, within what its label leaves open: one round of expectation and maximization
    (Dempster, Laird and Rubin 1977, 10.1111/j.2517-6161.1977.tb01600.x).

    Beyond 20,000 cells, components are those of 20,000 drawn evenly from all, whatever their
    labels; beyond 1,000 labeled cells of a type, the models are fitted on 1,000 of them drawn
    evenly. Only the cells drawn are normalized, so that time and memory stop growing there.

    Parameters
    ----------
    counts
        Counts [n, genes], CSR; no empty cell.
    y
        Label codes [n]; cells below 0 are not fitted on. At least two types must have cells.
    n_labels
        Number of types.
    random
        Chooses the cells where there are more than needed.
    components
        Those of other cells with the same genes; None finds them.
    soft
        Soft labels [n, K] that the labeled cells are fitted to; None: their codes. Where a type
        has no labeled cell, the models are fitted on unlabeled cells, too, with less weight.
    allowed
        The types that each code of a label leaves open, bool [codes, K]; needed where `y` has
        codes from `n_labels` on, whose cells are not fitted on without it.
    """
    space = components or components_of(counts, random)
    taught = _taught_as(y, n_labels, soft)
    n_codes = n_labels if allowed is None else len(allowed)
    rows = _training_rows(np.where(y < 0, taught, y), n_codes, random)
    y, cells = y[rows], log_normalized(take_rows(counts, rows))
    weights = np.where(y < 0, DISTILLATION, 1.0)
    broad = np.flatnonzero(y >= n_labels)
    if soft is not None or allowed is None or not broad.size:
        own = None if soft is None else soft[rows]
        return _fitted(cells, _target(y, own, weights), space, n_labels)
    fine = np.flatnonzero(y < n_labels)
    models = _fitted(cells[fine], _target(y[fine], None, weights[fine]), space, n_labels)
    shares = np.zeros((len(y), n_labels))
    shares[fine, y[fine]] = 1.0
    said = ensemble(*models.predict_logs(cells[broad])) * allowed[y[broad]]
    shares[broad] = said / np.maximum(said.sum(axis=1, keepdims=True), FLOOR)
    return _fitted(cells, _target(y, shares, weights), space, n_labels)


def _fitted(cells: Any, target: "_Target", space: Components, n_labels: int) -> LinearModels:
    center, axes = space
    scores = np.asarray(cells @ axes) - center @ axes
    return LinearModels(
        n_labels,
        _fit_linear(cells, target, GENES_C),
        _fit_linear(scores, target, COMPONENTS_C),
        center,
        axes,
    )


def components_of(counts: sparse.csr_array, random: np.random.Generator) -> Components:
    """Return the principal components of log-normalized counts, of 20,000 cells at most."""
    return principal_components(log_normalized(_some(counts, random)), random)


def ensemble(p_scanvi: np.ndarray, *linear_models: np.ndarray, weight: float = 1.0) -> np.ndarray:
    """Return the geometric mean of probabilities [n, K] over the models, renormalized.

    SCANVI counts `weight` times as much as each linear model. A type that a linear model never
    saw (a column of zeros) takes SCANVI's word for it.
    """
    logs = weight * np.log(np.maximum(p_scanvi, FLOOR)).astype(np.float64)
    for linear in linear_models:
        unseen = ~linear.any(axis=0)
        shared = 1.0 - p_scanvi[:, unseen].sum(axis=1, keepdims=True)
        full = np.where(unseen, p_scanvi, linear * shared)
        logs += np.log(np.maximum(full, FLOOR))
    return softmax(logs / (weight + len(linear_models)), axis=1).astype(np.float32)


def principal_components(
    logs: sparse.csr_matrix, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return gene means [genes] and the leading components [genes, d], d at most 30."""
    from sklearn.decomposition import PCA

    d = min(N_COMPONENTS, min(logs.shape) - 1)
    pca = PCA(d, svd_solver="arpack", random_state=int(random.integers(2**31)))
    pca.fit(logs)
    return pca.mean_.astype(np.float32), np.ascontiguousarray(pca.components_.T, dtype=np.float32)


def _some(counts: sparse.csr_array, random: np.random.Generator) -> sparse.csr_array:
    n = counts.shape[0]
    if n <= MAX_PCA_CELLS:
        return counts if sparse.issparse(counts) else counts[:]  # those of a store are read
    return take_rows(counts, np.sort(random.permutation(n)[:MAX_PCA_CELLS]))


def _training_rows(y: np.ndarray, n_labels: int, random: np.random.Generator) -> np.ndarray:
    chosen = [
        random.permutation(np.flatnonzero(y == label))[:MAX_TYPE_CELLS]
        for label in range(n_labels)
    ]
    return np.sort(np.concatenate(chosen))


def _taught_as(y: np.ndarray, n_labels: int, soft: np.ndarray | None) -> np.ndarray:
    """Return what unlabeled cells are taught as [n], where a type has no labeled cell; else -1.

    Then the labels alone would let the linear models forget types that the earlier model knows.
    """
    labeled = np.bincount(y[y >= 0], minlength=n_labels)[:n_labels] > 0
    if soft is None or labeled.all():
        return np.full(len(y), -1)
    known = np.isfinite(soft).all(axis=1)
    return np.where(known & (y < 0), np.nan_to_num(soft).argmax(axis=1), -1)


@dataclass(frozen=True, slots=True)
class _Target:
    """What a regression is fitted to: cells, one or more times each, with a type and a weight."""

    cells: np.ndarray
    codes: np.ndarray
    weights: np.ndarray


def _target(y: np.ndarray, soft: np.ndarray | None, weights: np.ndarray) -> _Target:
    """Return each cell once for each type of its soft label: the same cross-entropy."""
    if soft is None:
        return _Target(np.arange(len(y)), y, weights)
    cells, codes = np.nonzero(np.nan_to_num(soft) >= LEAST_SHARE)
    return _Target(cells, codes, soft[cells, codes].astype(np.float64) * weights[cells])


def _fit_linear(features: Any, target: _Target, strength: float) -> LinearModel:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=FIT_STEPS, tol=1e-3)
    model.fit(features[target.cells], target.codes, target.weights)
    weights, intercepts = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # sklearn keeps one column for two types
        weights = np.hstack([np.zeros_like(weights), weights])
        intercepts = np.append(0.0, intercepts)
    return LinearModel(
        np.ascontiguousarray(weights, dtype=np.float32),
        intercepts.astype(np.float32),
        model.classes_.astype(np.int64),
    )
