"""Provisional predictions: what the decisions since the last training change, at once.

They are worked out off the page's thread, for the newest labels only, and stay in memory: they
are there again within a second. A new run of the model puts an end to them.
"""

import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core import config
from scanvi_core.services import jobs
from scanvi_core.services.runs import results
from scanvi_core.services.runs.inputs import Design, design_of
from scanvi_core.services.workspace import OPEN_PROJECTS, Workspace, workspace

if TYPE_CHECKING:
    from scanvi_core.annotation.review.queue import ReviewGroup

PROVISIONAL = "provisional"
Moment = tuple[str, int]  # a run, and the number of the last label event


@dataclass(frozen=True)
class Provisional:
    """Predictions of a run, corrected for the labels up to event `seq`.

    Attributes
    ----------
    predictions
        Read like those of the run; `names` are the types of now, and labelled cells have their
        label with probability 1.
    y
        Label codes [n_obs] they were worked out for.
    n_changed
        Cells without a label whose predicted type is not the model's.
    groups
        The doubtful cells among those without a label, as `queue.review_queue` groups them.
    """

    seq: int
    predictions: results.Results
    y: np.ndarray
    n_changed: int
    groups: tuple["ReviewGroup", ...]

    @property
    def moment(self) -> Moment:
        """What they belong to."""
        return self.predictions.run_id, self.seq


@dataclass(frozen=True)
class State:
    """What there is now; `found` may be a decision behind while a newer one is `working`."""

    found: Provisional | None = None
    working: bool = False
    error: tuple[str, str] | None = None


_lock = threading.Lock()
_newest: OrderedDict[str, Provisional] = OrderedDict()


def state(project_id: str) -> State:
    """Return the provisional predictions; work on newer ones begins when labels changed.

    Cheap enough for every rerun of a page. Without a model, without a change since its training,
    or with labels of fewer than two types, there are none.
    """
    opened = workspace(project_id)
    now = _moment(opened)
    if now is None:
        return State()
    with _lock:
        found = _newest.get(project_id)
    if found is not None and found.moment == now:
        return State(found)
    if found is not None and found.predictions.run_id != now[0]:
        found = None
    error = _begin(project_id, now)
    return State(found, working=error is None, error=error)


def _moment(opened: Workspace) -> Moment | None:
    """Return the run and the labels to work for, None when the model has seen these labels."""
    run = opened.current_run()
    if run is None:
        return None
    learnt = opened.kept.get(("learnt", run.id), lambda: int(run.settings["labels_seq"]))
    design = design_of(opened)
    if design.seq == learnt or len(design.label_names) < config.MIN_LABELS:
        return None
    return run.id, design.seq


def _begin(project_id: str, now: Moment) -> tuple[str, str] | None:
    """See to it that a job works on the newest labels; return the error if it failed on them."""
    drawer = f"{project_id}/{PROVISIONAL}"  # apart: these jobs are neither shown nor kept
    last = jobs.list_jobs(drawer)[-1:]
    if last and last[0].error is not None and last[0].records[-1]["moment"] == now:
        return last[0].error
    if not last or last[0].status.final:

        def work(job: jobs.Job) -> None:
            _follow(project_id, job)

        with suppress(jobs.JobRefused):  # another tab was first
            jobs.submit(jobs.JobRequest(drawer, PROVISIONAL, PROVISIONAL, work))
    return None


def _follow(project_id: str, job: jobs.Job) -> None:
    """Work until no decision is newer: those that came meanwhile are taken together."""
    opened = workspace(project_id)
    done = None
    while (now := _moment(opened)) not in (None, done) and not job.should_stop():
        job.add_record({"moment": now})
        found = _work_out(opened, design_of(opened))
        with _lock:
            _newest[project_id] = found
            _newest.move_to_end(project_id)
            while len(_newest) > OPEN_PROJECTS:
                _newest.popitem(last=False)
        done = found.moment


def _work_out(opened: Workspace, design: Design) -> Provisional:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

    from scanvi_core.annotation.model.refit import Known, refit
    from scanvi_core.annotation.review.queue import review_queue

    run = opened.current_run()
    if run is None:
        raise ValueError("there is no current run")
    model = results.load(opened.project.id, run.id)
    z1, open_ = run.array(results.Z1), opened.store.labels(design.seq).codes < 0
    before = Known(np.array(run.array("y"), np.int64), model.names, run.settings["groups"])
    now = Known(design.y, design.label_names, design.groups)
    # several threads on small matrices wait for each other as soon as a training runs beside them
    with threadpool_limits(1, user_api="blas"):
        probabilities = refit(z1, model.probabilities, before, now)
        groups = review_queue(z1, probabilities, open_ & ~design.holdout, known=design.y)
    predictions = replace(model, names=design.label_names, **results.readings(probabilities))
    n_changed = _n_other(model, predictions, open_)
    return Provisional(design.seq, predictions, design.y, n_changed, tuple(groups))


def _n_other(model: results.Results, now: results.Results, cells: np.ndarray) -> int:
    """Return how many of the cells have another predicted type."""
    places = {name: code for code, name in enumerate(now.names)}
    table = np.array([*(places.get(name, -2) for name in model.names), -1])
    return int(np.count_nonzero(cells & (table[model.prediction] != now.prediction)))
