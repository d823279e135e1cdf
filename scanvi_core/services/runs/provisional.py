"""Provisional predictions: what the decisions since the last training change, at once.

They are worked out off the page's thread, for the newest labels only, and stay in memory: they
are there again within a second. A new run of the model puts an end to them.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core import config
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.errors import JobRefused, OnlyVisiting
from scanvi_core.services import jobs
from scanvi_core.services.runs import results
from scanvi_core.services.runs.frozen_run import known_of, renamed_since
from scanvi_core.services.runs.inputs import inputs_of
from scanvi_core.services.runs.review_cards import suggested
from scanvi_core.services.workspace import Workspace
from scanvi_core.type_tree import TypeTree

if TYPE_CHECKING:
    from scanvi_core.annotation.review.doubt_groups import ReviewGroup

PROVISIONAL = "provisional"
Moment = tuple[str, int]  # a run, and the number of the last label event


@dataclass(frozen=True)
class Provisional:
    """Predictions of a run, corrected for the labels up to event `seq`.

    Attributes
    ----------
    predictions
        Read like those of the run; `names` are the types of now, and labeled cells have their
        label with probability 1.
    y
        Label codes [n_obs] they were worked out for.
    n_changed
        Cells without a label whose predicted type is not the model's.
    novelty
        How unlike all labeled cells each cell is by now [n_obs]; NaN where unknown.
    groups
        Cards of cells without a label, the most useful first.
    """

    seq: int
    predictions: results.Results
    y: np.ndarray
    n_changed: int
    novelty: np.ndarray
    groups: tuple["ReviewGroup", ...]

    @property
    def moment(self) -> Moment:
        """What they belong to."""
        return self.predictions.run_id, self.seq


@dataclass(frozen=True)
class ProvisionalState:
    """What there is now; `newest` may be a decision behind while a newer one is `working`."""

    newest: Provisional | None = None
    working: bool = False
    error: tuple[str, str] | None = None


def state(opened: Workspace) -> ProvisionalState:
    """Return the provisional predictions; work on newer ones begins when labels changed.

    Cheap enough for every rerun of a page. Without a model, without a change since its training,
    or with labels of fewer than two types, there are none.
    """
    now = _moment(opened)
    if now is None:
        return ProvisionalState()
    newest = opened.cache.peek(PROVISIONAL)
    if newest is not None and newest.moment == now:
        return ProvisionalState(newest)
    if newest is not None and newest.predictions.run_id != now[0]:
        newest = None
    error = _begin(opened, now)
    return ProvisionalState(newest, working=error is None, error=error)


def _moment(opened: Workspace) -> Moment | None:
    """Return the run and the labels to work for, None when the model has seen these labels."""
    run = opened.current_run()
    if run is None:
        return None
    learned = opened.cache.get(("learned", run.id), lambda: run.settings.labels_seq)
    inputs = inputs_of(opened)
    if inputs.seq == learned or len(inputs.label_names) < config.MIN_LABELS:
        return None
    return run.id, inputs.seq


def _begin(opened: Workspace, now: Moment) -> tuple[str, str] | None:
    """See to it that a job works on the newest labels; return the error if it failed on them."""
    drawer = f"{opened.id}/{PROVISIONAL}"  # apart: these jobs are neither shown nor kept
    last = jobs.list_jobs(drawer)[-1:]
    if last and last[0].error is not None and last[0].records[-1]["moment"] == now:
        return last[0].error
    if not last or last[0].status.final:

        def work(job: jobs.Job) -> None:
            _follow(opened, job)

        # another tab was first, or somebody came by a link, who sees what others let work out
        with suppress(JobRefused, OnlyVisiting):
            jobs.submit(jobs.JobRequest(drawer, PROVISIONAL, PROVISIONAL, work, changes=False))
    return None


def _follow(opened: Workspace, job: jobs.Job) -> None:
    """Work until no decision is newer: those that came meanwhile are taken together."""
    done = None
    while (now := _moment(opened)) not in (None, done) and not job.should_stop():
        job.add_record({"moment": now})
        newest = _work_out(opened, inputs_of(opened))
        opened.cache.put(PROVISIONAL, newest)
        done = newest.moment


def _work_out(opened: Workspace, inputs: Inputs) -> Provisional:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

    from scanvi_core.annotation.decisions.refit import Known, codes_now, of_model, refit

    run = opened.current_run()
    if run is None:
        raise ValueError("there is no current run")
    model = results.load(opened, run.id)
    z1, open_ = run.array(results.Z1), opened.store.labels(inputs.seq).codes < 0
    before = known_of(run, renamed_since(opened, run))
    now = Known(inputs.y, inputs.label_names, inputs.parents)
    # several threads on small matrices wait for each other as soon as a training runs beside them
    with threadpool_limits(1, user_api="blas"):
        probabilities = refit(z1, model.probabilities, before, now)
        run_probabilities = of_model(model.probabilities, codes_now(before, now), len(now.names))
        groups, novelty = suggested(
            run, (run_probabilities, probabilities), open_ & ~inputs.holdout, inputs.y,
            TypeTree(now.names, now.parents).members, inputs.seq - run.settings.labels_seq,
        )  # fmt: skip
    predictions = replace(model, names=inputs.label_names, **results.readings(probabilities))
    n_changed = _n_other(model, predictions, open_)
    return Provisional(inputs.seq, predictions, inputs.y, n_changed, novelty, groups)


def _n_other(model: results.Results, now: results.Results, cells: np.ndarray) -> int:
    """Return how many of the cells have another predicted type."""
    places = {name: code for code, name in enumerate(now.names)}
    table = np.array([*(places.get(name, -2) for name in model.names), -1])
    return int(np.count_nonzero(cells & (table[model.prediction] != now.prediction)))
