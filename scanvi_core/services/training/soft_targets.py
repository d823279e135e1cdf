"""What a run learns from the decisions it was begun with, as the run before it shapes them."""

import numpy as np

from scanvi_core.annotation.decisions.refit import Known
from scanvi_core.annotation.decisions.soft_labels import soft_labels
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.project.folder import Project
from scanvi_core.project.runs import Run
from scanvi_core.services.diagnostics.uncertainty_job import ISSUE_SCORE
from scanvi_core.services.labels.decisions import BROUGHT
from scanvi_core.services.runs import results
from scanvi_core.services.runs.frozen_run import DECISION, known_of


def soft_labels_of(project: Project, run: Run, inputs: Inputs) -> np.ndarray | None:
    """Return the soft labels [n_obs, K] of a frozen run.

    None where no decision was a group's, and no type is known from the run before alone.
    """
    teacher = run.settings.taught_by
    if teacher is None or not run.has_array(DECISION):
        return None
    decision = np.array(run.array(DECISION), dtype=np.int64)
    earlier = Run.open(project, teacher)
    before = known_of(earlier, run.settings.renamed)
    groups_named = ((decision >= 0) & (inputs.y >= 0)).any()
    if not groups_named and not _keeps_types(before.names, inputs):
        return None
    now = Known(inputs.y, inputs.label_names, inputs.parents)
    z1, probabilities = earlier.array(results.Z1), earlier.array("probabilities")
    wrong = _wrong(earlier, before, now, decision)
    return soft_labels(z1, probabilities, before, now, decision, wrong)


def _keeps_types(known: tuple[str, ...], inputs: Inputs) -> bool:
    """Tell whether a type has no labeled cell, so that only the earlier model knows it."""
    n_types = len(inputs.label_names)
    labeled = np.bincount(inputs.y[inputs.y >= 0], minlength=n_types)[:n_types] > 0
    unlabeled = {name for name, own in zip(inputs.label_names, labeled, strict=True) if not own}
    return bool(unlabeled & set(known))


def _wrong(earlier: Run, before: Known, now: Known, decision: np.ndarray) -> np.ndarray | None:
    """Return the probability that brought labels are wrong, which are the same as then [n_obs].

    None where nobody has looked at the labels of the earlier run.
    """
    if not earlier.has_array(ISSUE_SCORE):
        return None
    names_before, names_now = (np.array([*known.names, ""]) for known in (before, now))
    typed = (before.y < len(before.names)) & (now.y < len(now.names))
    same = typed & (names_before[before.y * typed] == names_now[now.y * typed])
    return np.where(same & (decision == BROUGHT), earlier.array(ISSUE_SCORE), 0.0)
