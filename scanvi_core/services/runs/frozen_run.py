"""A run's folder: everything that a result depends on, frozen before the start."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core import runtime
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.project.label_log.replay.state import GIVEN, MANUAL
from scanvi_core.project.run_settings import RunSettings
from scanvi_core.project.runs import Run
from scanvi_core.services.labels.decisions import decisions
from scanvi_core.services.runs.results import TRUTH
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from scanvi_core.annotation.decisions.refit import Known

DECISION = "decision"  # which step of the log named each cell as one of a group
VERSIONS_OF = ("torch", "numpy", "scipy", "anndata", "scanpy", "umap-learn", "scikit-learn")


@dataclass(frozen=True)
class Outside:
    """Processes that train a run outside the app.

    Attributes
    ----------
    processes
        How many to begin it with; 0: the app trains it.
    store
        The collection of the same cells that they read, as they see it; None: the data set.
    """

    processes: int = 0
    store: str | None = None


def new_run(
    opened: Workspace,
    request: TrainRequest,
    inputs: Inputs,
    genes: np.ndarray,
    outside: Outside | None = None,
    pack: str | None = None,
) -> Run:
    """Create the run folder and freeze everything the result depends on.

    Who trains it needs this folder and the data set beside it, not the labels. Without `outside`
    the app trains it; else its random numbers do not depend on how many processes share the work.
    With the name of a `pack` it is not trained at all.
    """
    settings = replace(_settings(opened, request, inputs, genes, outside or Outside()), pack=pack)
    run = Run.create(opened.project, settings)
    truth = np.full(inputs.y.size, -1, dtype=np.int32)
    known, rows = holdout_truth(opened, inputs.label_names, inputs.holdout, inputs.seq)
    truth[rows] = known
    arrays = {"y": inputs.y.astype(np.int32), "holdout": inputs.holdout, "rows": inputs.rows}
    arrays |= {"batch_index": inputs.batch_index.astype(np.int32), TRUTH: truth}
    if settings.taught_by is not None:
        arrays[DECISION] = decisions(opened, inputs.seq)
    for name, array in arrays.items():
        run.write_array(name, array)
    return run


def _settings(
    opened: Workspace, request: TrainRequest, inputs: Inputs, genes: np.ndarray, outside: Outside
) -> RunSettings:
    chosen, teacher = opened.project.settings, opened.current_run()
    return RunSettings(
        model=request.model,
        train=request.train,
        warm_from=chosen.get("current_run") if request.warm else None,
        taught_by=chosen.get("current_run"),
        map_from=chosen.get("current_run"),  # its places are where maps start
        renamed={} if teacher is None else renamed_since(opened, teacher),
        processes=outside.processes,
        store=outside.store,
        seed=request.train.seed,
        threads=runtime.worker_threads(),
        device=str(runtime.choose_device(request.train.device)),
        versions={name: version(name) for name in VERSIONS_OF},
        counts_sha256=opened.dataset.manifest["counts_sha256"],
        batch_key=chosen.get("batch_key"),
        labels_key=chosen.get("labels_key"),
        unlabeled_categories=tuple(chosen.get("unlabeled", [])),
        labels_seq=inputs.seq,
        label_names=inputs.label_names,
        code_names=inputs.code_names,
        batch_names=inputs.batch_names,
        parents=dict(inputs.parents),
        prior=dict(inputs.prior),
        genes=tuple(map(str, genes)),
    )


def frozen_inputs(run: Run) -> Inputs:
    """Return what a run was begun with; its counts are cut out when they are needed."""
    frozen = run.settings
    return Inputs(
        counts=None,
        genes=frozen.genes,
        y=np.array(run.array("y"), dtype=np.int64),
        label_names=frozen.label_names,
        batch_index=np.array(run.array("batch_index"), dtype=np.int64),
        batch_names=frozen.batch_names,
        parents=frozen.parents,
        prior=frozen.prior,
        rows=np.array(run.array("rows")),
        holdout=np.array(run.array("holdout")),
        seq=frozen.labels_seq,
    )


def known_of(run: Run, renamed: Mapping[str, str] | None = None) -> "Known":
    """Return what was known of the cells when a run was begun; types go by their names of now."""
    from scanvi_core.annotation.decisions.refit import Known

    settings, now = run.settings, renamed or {}
    names = tuple(now.get(name, name) for name in settings.label_names)
    parents = {
        now.get(name, name): tuple(now.get(each, each) for each in above)
        for name, above in settings.parents.items()
    }
    return Known(np.array(run.array("y"), np.int64), names, parents)


def renamed_since(opened: Workspace, run: Run) -> dict[str, str]:
    """Return what types of a run are called now, where that changed since it was begun."""
    state, seq = opened.labels(), run.settings.labels_seq
    then = opened.cache.get(("labels of run", run.id), lambda: opened.store.labels(seq))
    codes = dict(zip(then.active, then.active_codes, strict=True))
    alive = dict(zip(state.active_codes, state.active, strict=True))
    now = {name: alive.get(codes.get(name, -1), name) for name in run.settings.label_names}
    return {name: new for name, new in now.items() if new != name}


def holdout_truth(
    opened: Workspace, names: tuple[str, ...], holdout: np.ndarray, at: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return true codes (-1: a type the model does not know) and rows of the held-out cells.

    Labels are taken as they were after event `at`, when the model was trained: its names are
    theirs. Cells without a label then, and accepted predictions, are no truth and left out.
    """
    state = opened.store.labels(at)
    places = {name: i for i, name in enumerate(names)}
    table = np.array([*(places.get(name, -1) for name in state.names), -1], dtype=np.int64)
    rows = np.flatnonzero(holdout & np.isin(state.sources, (GIVEN, MANUAL)))
    return table[state.codes[rows]], rows
