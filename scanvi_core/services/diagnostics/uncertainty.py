"""Why predictions may be doubted, labels that look wrong, and the few types a cell may be of.

For pages: `reasons` is None until the job of `start` has looked at the current model (say "not
looked at yet"); the job runs by itself after a training on a page, and `latest` shows it. What is
returned is kept and shared: never change it.

    checked = uncertainty.reasons(opened)
    if checked is not None:
        checked.reason == uncertainty.Reason.NOVEL     # [n_obs]
        uncertainty.NEXT_STEPS[uncertainty.Reason.NOVEL]   # one sentence for the page
        checked.qc                               # [n_obs], positions in QC_NAMES
    uncertainty.label_issues(opened)             # brought labels that look wrong, the worst first
    uncertainty.decide(opened, issues, keep=False, seen=seq)
    uncertainty.prediction_sets(opened)          # None where there are too few labels
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from scanvi_core import config
from scanvi_core.annotation.uncertainty import reasons as doubt_reasons
from scanvi_core.annotation.uncertainty.prediction_sets import COVERAGE
from scanvi_core.data.qc.limits import FINE
from scanvi_core.errors import LabelsUnusable
from scanvi_core.project.label_log.replay.state import GIVEN
from scanvi_core.project.runs import Run
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty_job
from scanvi_core.services.labels import edit
from scanvi_core.services.quality import doublets, flags
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace
from scanvi_core.type_tree import TypeTree

Reason = doubt_reasons.Reason
REASON_NAMES = doubt_reasons.REASON_NAMES
QC_NAMES = uncertainty_job.QC_NAMES
NEXT_STEPS = (
    "Nothing speaks against the prediction.",
    "Two types are close: choose between the two.",
    "Unlike every labeled cell: name a new type, or leave it unknown.",
    "Look at its counts, doublet score and batch; leave it unnamed.",
)
NOT_LOOKED = "New types were not looked for: too few labeled cells."
SEPARATOR = " | "
CHECKED = "label check"  # the reason that goes into the log


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What was found about the cells of one run; all arrays are [n_obs].

    Attributes
    ----------
    doublet_score
        From 0 to 1; NaN where a batch was not looked at, for all where nobody has looked.
    reason
        int8: why the prediction may be doubted, a `Reason`.
    novelty
        From 0 to 1; NaN for cells without counts, and for all where `knows_novelty` is False.
    qc
        int8: what is technically wrong, a position in `QC_NAMES`.
    issue_score, issue, suggestion
        Probability that the label is wrong (NaN: not judged), whether to look at it, and the code
        of the type the cell looks like instead (-1: none).
    novelty_notes, notes
        What could not be looked for, in sentences: new types, and technical faults.
    """

    run_id: str
    doublet_score: np.ndarray
    reason: np.ndarray
    novelty: np.ndarray
    qc: np.ndarray
    issue_score: np.ndarray
    issue: np.ndarray
    suggestion: np.ndarray
    novelty_notes: tuple[str, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class LabelIssue:
    """A label that was brought and looks wrong: position of the cell, names, probability."""

    row: int
    given: str
    suggestion: str
    score: float


@dataclass(frozen=True, eq=False)
class PredictionSets:
    """For each cell the types among which the true one is, in `coverage` of the cells.

    Attributes
    ----------
    members
        bool [n_obs, K], the columns being the leaves of `tree`; all False for cells without
        counts.
    tree
        The types, and the broader ones that a set may be said by.
    n_cells
        Labeled cells the promise rests on.
    """

    members: np.ndarray
    tree: TypeTree
    coverage: float
    n_cells: int

    def coded(self) -> tuple[np.ndarray, list[str]]:
        """Return the sets as codes [n_obs] (-1: empty) and texts like ``B | Plasma``."""
        from scanvi_core.annotation.uncertainty.hierarchy import in_names

        sets, codes = np.unique(self.members, axis=0, return_inverse=True)
        texts = [SEPARATOR.join(in_names(np.flatnonzero(row), self.tree)) for row in sets]
        used = sorted({*texts} - {""})
        lookup = np.array([used.index(text) if text else -1 for text in texts])
        return lookup[codes.ravel()].astype(np.int32), used


def start(opened: Workspace) -> None:
    """Look at the current model in the background; once begun, asking again does nothing."""
    if opened.current_run() is not None:
        uncertainty_job.begin(opened)


def latest(opened: Workspace) -> jobs.JobSnapshot | None:
    """Return the newest job that looks for reasons, running or ended."""
    checks = [job for job in jobs.list_jobs(opened.id) if job.kind == uncertainty_job.UNCERTAINTY]
    return checks[-1] if checks else None


def reasons(opened: Workspace) -> Uncertainty | None:
    """Return what was found about the current model; None before it was looked at."""
    run = opened.current_run()
    if run is None or not uncertainty_job.is_done(run):
        return None
    key = ("uncertainty", run.id, flags.revision(opened, run.settings.batch_key))
    return opened.cache.get(key, lambda: _read(opened, run))


def _read(opened: Workspace, run: Run) -> Uncertainty:
    """Read what was found; poor cells, and so the reasons, follow the limits as they are now."""
    batches = opened.batches(run.settings.batch_key)
    seen = Uncertainty(
        run.id,
        flags.doublet_scores(opened, batches),
        *(run.array(name) for name in uncertainty_job.ARRAYS),
    )
    poor = flags.with_model_checks(opened, batches, np.asarray(seen.qc))
    confidence = results.load(opened, run.id).confidence
    novel = np.asarray(run.array(uncertainty_job.IS_NOVEL))
    return replace(
        seen,
        reason=doubt_reasons.weigh_reasons(confidence, novel, poor != FINE, config.LOW_CONFIDENCE),
        qc=poor,
        novelty_notes=(NOT_LOOKED,) if np.isnan(seen.novelty).all() else (),
        notes=_notes(opened, batches.key),
    )


def _notes(opened: Workspace, batch_key: str | None) -> tuple[str, ...]:
    """Say which technical faults could not be looked for."""
    notes = []
    if not flags.doublet_version(opened, batch_key):
        most = uncertainty_job.MAX_DOUBLET_CELLS
        why = f": more than {most:,} cells" if opened.dataset.n_obs > most else ""
        notes.append(f"Doublets were not looked for{why}. Check data does it when asked.")
    return (*notes, *(f"Doublets: {note}" for note in doublets.notes(opened, batch_key)))


def counts(opened: Workspace) -> dict[str, int] | None:
    """Return the cells without a label per reason, by name; None before it was looked at."""
    checked, state = reasons(opened), opened.labels()
    if checked is None:
        return None
    n = np.bincount(checked.reason[state.codes < 0], minlength=len(REASON_NAMES))
    return dict(zip(REASON_NAMES, map(int, n), strict=True))


def label_issues(opened: Workspace) -> tuple[LabelIssue, ...]:
    """Return the brought labels that look wrong and that nobody has decided on, worst first."""
    checked = reasons(opened)
    if checked is None:
        return ()
    key = ("label issues", checked.run_id, opened.labels().seq)
    return opened.cache.get(key, lambda: _issues(opened, checked))


def _issues(opened: Workspace, checked: Uncertainty) -> tuple[LabelIssue, ...]:
    run = Run.open(opened.project, checked.run_id)
    then, now = results.labels_then(opened, run), opened.labels()
    same = (now.codes == then.codes) & (now.sources == GIVEN)
    rows = np.flatnonzero(checked.issue & same)
    rows = rows[np.argsort(-checked.issue_score[rows], kind="stable")]
    codes = dict(zip(then.active, then.active_codes, strict=True))
    # a type that was renamed since goes by its new name; codes stay
    names = [now.names[codes[n]] if n in codes else n for n in run.settings.label_names]
    return tuple(
        LabelIssue(
            int(row),
            now.names[now.codes[row]],
            names[checked.suggestion[row]],
            float(checked.issue_score[row]),
        )
        for row in rows
    )


def decide(
    opened: Workspace, issues: Sequence[LabelIssue], *, keep: bool, seen: int | None = None
) -> None:
    """Keep the labels of some cells, or change them to the suggestions; both are by hand then.

    Each name that is given is one step of the history.

    Raises
    ------
    StaleEdit
        If somebody changed the same cells since step `seen`.
    """
    names = [issue.given if keep else issue.suggestion for issue in issues]
    for name in dict.fromkeys(names):
        chosen = zip(issues, names, strict=True)
        rows = np.array([issue.row for issue, own in chosen if own == name])
        edit.name_cells(opened, rows, name, CHECKED, seen)


def prediction_sets(opened: Workspace, coverage: float = COVERAGE) -> PredictionSets | None:
    """Return the set of types of each cell; None without a model or with too few labels."""
    predictions = results.current(opened)
    if predictions is None:
        return None
    key = ("sets", predictions.run_id, coverage)
    return opened.cache.get(key, lambda: _sets(predictions, coverage))


def _sets(predictions: results.Results, coverage: float) -> PredictionSets | None:
    from scanvi_core.annotation.model.calibration import Calibration
    from scanvi_core.annotation.uncertainty.prediction_sets import fit_sets

    run = predictions.run
    if not run.has_array(uncertainty_job.OUT_OF_FOLD):
        return None
    calibration = Calibration(float(predictions.summary["temperature"]))
    judged = calibration.apply(np.array(run.array(uncertainty_job.OUT_OF_FOLD)))
    try:
        rule = fit_sets(judged, np.array(run.array("y")), coverage, by_type=True)
    except LabelsUnusable:  # no promise can be made; the page says so
        return None
    members = rule.apply(predictions.probabilities) & (predictions.prediction >= 0)[:, None]
    return PredictionSets(members, run.settings.tree, coverage, rule.n_cells)
