"""Poor cells of a project: the limits in force, their flags, the search for doublets."""

from typing import Any

import numpy as np

from scanvi_core import keys
from scanvi_core.data.qc import limits
from scanvi_core.export.request import Column
from scanvi_core.services import jobs
from scanvi_core.services.quality import chosen_limits, doublets
from scanvi_core.services.quality import flags as quality_flags
from scanvi_core.services.quality.chosen_limits import Choice
from scanvi_core.services.quality.flags import Batches
from scanvi_core.services.workspace import Workspace, batches_of


def batches(opened: Workspace) -> Batches:
    """Return the batches of the project."""
    return batches_in(opened)


def saved(opened: Workspace) -> Choice:
    """Return the limits that are in force."""
    return chosen_limits.saved(opened, opened.project.settings.get("batch_key"))


def save(opened: Workspace, choice: Choice) -> None:
    """Put limits in force, and record them in the project.

    Raises
    ------
    ProjectError
        If the disk refuses.
    """
    chosen_limits.save(opened, opened.project.settings.get("batch_key"), choice)


def flags(opened: Workspace) -> np.ndarray:
    """Return what is wrong with each cell by the limits in force: positions in `FLAG_NAMES`."""
    return quality_flags.flags(opened, batches_in(opened))


def revision(opened: Workspace) -> str:
    """Return a text that changes when flags may have changed."""
    return quality_flags.revision(opened, opened.project.settings.get("batch_key"))


def record(opened: Workspace) -> dict[str, Any]:
    """Return the limits in force, for the record of an export: plain values."""
    return quality_flags.record(opened, batches_in(opened))


def columns(opened: Workspace) -> dict[str, Column]:
    """Return the obs columns of an export that tell poor cells, as long as there is no model."""
    division = batches_in(opened)
    found: dict[str, Column] = {
        keys.QC_FLAG: (
            quality_flags.flags(opened, division).astype(np.int32), list(limits.FLAG_NAMES),
        ),
    }  # fmt: skip
    if quality_flags.doublet_version(opened, division.key):
        found[keys.DOUBLET] = quality_flags.doublet_scores(opened, division)
    return found


def doublets_known(opened: Workspace) -> bool:
    """Tell whether doublets were looked for in these batches."""
    key = opened.project.settings.get("batch_key")
    return quality_flags.doublet_version(opened, key) > 0


def start_doublets(opened: Workspace) -> str:
    """Begin to look for doublets; return the job id.

    Raises
    ------
    JobRefused
        If the project's cells are being looked at already.
    """
    return doublets.start(opened, batches(opened))


def latest_job(opened: Workspace) -> jobs.JobSnapshot | None:
    """Return the newest search for doublets, running or ended."""
    found = [job for job in jobs.list_jobs(opened.id) if job.kind == doublets.DOUBLETS]
    return found[-1] if found else None


def batches_in(opened: Workspace) -> Batches:
    """Return the batches of an opened project."""
    key = opened.project.settings.get("batch_key")
    return Batches(key, *batches_of(opened, key))
