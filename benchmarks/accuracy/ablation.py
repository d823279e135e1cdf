"""What each ingredient of the recipe is worth: take it away, or put another in its place.

``python -m benchmarks.accuracy --only 'ablation*' --masks 0 --fractions 0.015 0.1`` measures
all data sets; ``python -m benchmarks.accuracy table`` writes ``ablation.json``.
All variants are of the ``quick`` preset, the only one whose whole grid takes minutes.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from benchmarks.accuracy.compare import Table
from benchmarks.accuracy.task import Task
from benchmarks.results_file import Result
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.linear_models import ensemble
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.train import training

PRESET = "quick"
BASE = "ablation"  # the recipe as it is, and what comes of the same fit
ALONE = ": SCANVI alone"
UNTAUGHT = f"{BASE}: not taught by all models halfway"
NEVER = 2.0  # times the length of a run
Changes = dict[str, float | bool | str]
VARIANTS: dict[str, tuple[Changes, Changes]] = {  # of the model, of the training
    UNTAUGHT: ({}, {}),
    f"{BASE}: no gene dropout": ({"input_dropout_rate": 0.0}, {}),
    f"{BASE}: dropout .1 in place of .2": ({"dropout_rate": 0.1}, {}),
    f"{BASE}: 10 latent dimensions in place of 20": ({"n_latent": 10}, {}),
    f"{BASE}: layer norm in place of batch norm": ({"use_layer_norm": True}, {}),
    f"{BASE}: zinb in place of nb": ({"gene_likelihood": "zinb"}, {}),
    f"{BASE}: labels weigh 50 in place of 200": ({}, {"classification_ratio": 50.0}),
    f"{BASE}: types equally often": ({}, {"balance_labels": True}),
    f"{BASE}: no warm-up of the prior": ({}, {"kl_warmup": 0.0}),
    f"{BASE}: learning rate .001 in place of .004": ({}, {"learning_rate": 1e-3}),
    f"{BASE}: last step in place of the best": ({}, {"validation_fraction": 0.0}),
}
FROM_BASE = (
    ALONE,
    ": without the regression on genes",
    ": without the regression on components",
    ": all three weighed alike",
    ": the two regressions alone",
)
COMMAND = (
    "python -m benchmarks.accuracy --only 'ablation*' --masks 0 --fractions 0.015 0.1 && "
    "python -m benchmarks.accuracy table"
)


def ablate(name: str, task: Task) -> dict[str, np.ndarray]:
    """Fit one variant; the recipe itself also answers without some members of its stack."""
    model, changes = VARIANTS.get(name, ({}, {}))
    genes, types, batches = (
        tuple(map(str, range(n)))
        for n in (task.counts.shape[1], task.n_types, int(task.batch.max()) + 1)
    )
    cells = Inputs(task.counts, genes, task.y, types, task.batch, batches)
    config = TrainConfig(preset=PRESET, seed=task.seed, device="cpu")
    never = patch.object(training, "TAUGHT_FROM", NEVER)
    with never if name == UNTAUGHT else nullcontext():
        fitted = Annotator.fit(
            cells,
            replace(ModelConfig(), **model),  # type: ignore[arg-type]  # names and values fit
            replace(config, **changes),  # type: ignore[arg-type]  # as above
        )
    found = fitted.predict(task.counts)
    answers = {name: found.probabilities, name + ALONE: found.scanvi}
    if name != BASE:
        return answers
    by_genes, by_components = fitted.linear_models.predict(task.counts)
    weight = fitted.scanvi_weight
    parts = (
        found.scanvi,
        ensemble(found.scanvi, by_components, weight=weight),
        ensemble(found.scanvi, by_genes, weight=weight),
        ensemble(found.scanvi, by_genes, by_components),
        ensemble(by_genes, by_components),
    )
    return answers | {BASE + tail: part for tail, part in zip(FROM_BASE, parts, strict=True)}


def table_of(table: Table) -> Result | None:
    """Return how much each change gains or loses, on average over the sets; None if unmeasured."""
    rows = list(_rows(table))
    if not rows:
        return None
    notes = [
        (
            "Means over the data sets, one mask: accuracy / macro-F1 on hidden cells, and the "
            "change against the first row. A change under about .005 is within chance."
        ),
    ]
    columns = ["recipe (quick)", "1.5 % of labels", "change", "10 %", "change"]
    machine = "; ".join(sorted({r.machine for r in table.records.values() if _is(r.method)}))
    return Result("What each ingredient is worth", COMMAND, columns, rows, notes, machine)


def _is(method: str) -> bool:
    return method.startswith(BASE)


def _rows(table: Table) -> Iterator[list[str | None]]:
    alone = [name + ALONE for name in VARIANTS]
    base = _means(table, BASE)
    for name in (BASE, *(BASE + tail for tail in FROM_BASE), *VARIANTS, *alone):
        found = _means(table, name)
        against = _means(table, BASE + ALONE) if name in alone else base
        if found is None or against is None:
            continue
        cells: list[str | None] = ["as it is" if name == BASE else name.removeprefix(f"{BASE}: ")]
        for own, its in zip(found, against, strict=True):
            cells += [_pair(own, ".3f"), None if name == BASE else _pair(own - its, "+.3f")]
        yield cells


def _means(table: Table, method: str) -> np.ndarray | None:
    """Return mean accuracy and macro-F1 [2 fractions, 2] over the sets; None where one lacks."""
    fractions = [fraction for fraction in table.fractions() if fraction < 1.0]
    cells = [[table.cell(method, s, f) for s in table.sets(f)] for f in fractions]
    if not all(cell for row in cells for cell in row):
        return None
    return np.array(
        [np.mean([(cell[0].accuracy, cell[0].macro_f1) for cell in row], axis=0) for row in cells]
    )


def _pair(values: np.ndarray, form: str) -> str:
    return " / ".join(format(value, form) for value in values)
