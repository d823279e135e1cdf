"""The methods that are compared: linear models, our presets, and two tools of others.

The linear models share no code with those of the program: a baseline must not move with it.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import sklearn
import torch
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from benchmarks.accuracy import ablation
from benchmarks.accuracy.bridge import ask
from benchmarks.accuracy.task import Answer, Method, Task
from scanvi_core.config import PRESETS, ModelConfig, TrainConfig

N_COMPONENTS, MAX_NEIGHBORS = 30, 15
GENES_C, COMPONENTS_C = 0.1, 1.0  # inverse strengths of the penalties
TARGET_TOTAL = 1e4
FLOOR = 1e-9
ALONE = " (SCANVI alone)"
BASELINES = ("logistic", "pca+logistic", "pca+knn", "product", "celltypist", "scvi-tools")


def logistic(task: Task) -> dict[str, np.ndarray]:
    """Logistic regression on log-normalized genes."""
    return {"logistic": _regression(_logs(task.counts), task, GENES_C)}


def pca_logistic(task: Task) -> dict[str, np.ndarray]:
    """Logistic regression on 30 principal components of all cells."""
    return {"pca+logistic": _regression(_components(task), task, COMPONENTS_C)}


def pca_knn(task: Task) -> dict[str, np.ndarray]:
    """Ask the up to 15 nearest labeled cells in 30 principal components, the closest most."""
    scores, shown = _components(task), task.y >= 0
    model = KNeighborsClassifier(min(MAX_NEIGHBORS, int(shown.sum())), weights="distance")
    return {"pca+knn": model.fit(scores[shown], task.y[shown]).predict_proba(scores)}


def product(task: Task) -> dict[str, np.ndarray]:
    """Multiply what the two regressions say, and renormalize the square root."""
    both = np.sqrt(np.maximum(logistic(task)["logistic"], FLOOR)) * np.sqrt(
        np.maximum(pca_logistic(task)["pca+logistic"], FLOOR)
    )
    return {"product": both / both.sum(axis=1, keepdims=True)}


def annotate(preset: str, task: Task) -> dict[str, np.ndarray]:
    """Run our program with its defaults: all that it reports, and its network alone."""
    from scanvi_core.annotation.model.annotator import Annotator
    from scanvi_core.annotation.model.inputs import Inputs

    genes, types, batches = (
        tuple(map(str, range(n)))
        for n in (task.counts.shape[1], task.n_types, int(task.batch.max()) + 1)
    )
    cells = Inputs(task.counts, genes, task.y, types, task.batch, batches)
    config = TrainConfig(preset=preset, seed=task.seed, device="cpu")
    found = Annotator.fit(cells, ModelConfig(), config).predict(task.counts)
    return {preset: found.probabilities, preset + ALONE: found.scanvi}


METHODS: dict[str, Method] = {
    "logistic": logistic,
    "pca+logistic": pca_logistic,
    "pca+knn": pca_knn,
    "product": product,
    **{preset: partial(annotate, preset) for preset in PRESETS},
}
OUTSIDE = {"celltypist": "celltypist", "scvi-tools": "scvi_tools"}
ABLATIONS: dict[str, Method] = {
    name: partial(ablation.ablate, name) for name in (ablation.BASE, *ablation.VARIANTS)
}
NAMES = (*METHODS, *OUTSIDE, *ABLATIONS)


def solver(name: str, python: Path) -> Callable[[Task], Answer]:
    """Return the method `name`, timed; `python` is the interpreter of the tools of others."""
    if name in OUTSIDE:
        return partial(ask, python, OUTSIDE[name])
    if name in PRESETS or name in ABLATIONS:
        from scanvi_core.annotation.model.annotator import warm_up

        warm_up()
    return partial(timed, (METHODS | ABLATIONS)[name])


def timed(method: Method, task: Task) -> Answer:
    """Run a method in this process."""
    torch.set_num_threads(task.threads)
    with threadpool_limits(task.threads):
        wall, cpu = time.perf_counter(), time.process_time()
        found = method(task)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    versions = {"scikit-learn": sklearn.__version__, "torch": torch.__version__}
    return Answer(found, wall, cpu, versions)


def _logs(counts: sparse.csr_array) -> sparse.csr_array:
    """Return log1p of counts per 10,000, still sparse."""
    return (normalize(counts, norm="l1") * TARGET_TOTAL).log1p()


def _components(task: Task) -> np.ndarray:
    logs = _logs(task.counts)
    n_components = min(N_COMPONENTS, min(logs.shape) - 1)
    return PCA(n_components, svd_solver="arpack", random_state=task.seed).fit_transform(logs)


def _regression(features: np.ndarray, task: Task, strength: float) -> np.ndarray:
    shown = task.y >= 0
    model = LogisticRegression(C=strength, max_iter=1_000)
    return model.fit(features[shown], task.y[shown]).predict_proba(features)
