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
from scanvi_core.services.workspace import Workspace, batches_of, workspace


def batches(project_id: str) -> Batches:
    """Return the batches of the project."""
    return batches_in(workspace(project_id))


def saved(project_id: str) -> Choice:
    """Return the limits that are in force."""
    opened = workspace(project_id)
    return chosen_limits.saved(opened, opened.project.settings.get("batch_key"))


def save(project_id: str, choice: Choice) -> None:
    """Put limits in force, and record them in the project.

    Raises
    ------
    ProjectError
        If the disk refuses.
    """
    opened = workspace(project_id)
    chosen_limits.save(opened, opened.project.settings.get("batch_key"), choice)


def flags(project_id: str) -> np.ndarray:
    """Return what is wrong with each cell by the limits in force: positions in `FLAG_NAMES`."""
    opened = workspace(project_id)
    return quality_flags.flags(opened, batches_in(opened))


def revision(project_id: str) -> str:
    """Return a text that changes when flags may have changed."""
    opened = workspace(project_id)
    return quality_flags.revision(opened, opened.project.settings.get("batch_key"))


def record(project_id: str) -> dict[str, Any]:
    """Return the limits in force, for the record of an export: plain values."""
    opened = workspace(project_id)
    return quality_flags.record(opened, batches_in(opened))


def columns(project_id: str) -> dict[str, Column]:
    """Return the obs columns of an export that tell poor cells, as long as there is no model."""
    opened = workspace(project_id)
    division = batches_in(opened)
    found: dict[str, Column] = {
        keys.QC_FLAG: (
            quality_flags.flags(opened, division).astype(np.int32), list(limits.FLAG_NAMES),
        ),
    }  # fmt: skip
    if quality_flags.doublet_version(opened, division.key):
        found[keys.DOUBLET] = quality_flags.doublet_scores(opened, division)
    return found


def doublets_known(project_id: str) -> bool:
    """Tell whether doublets were looked for in these batches."""
    opened = workspace(project_id)
    key = opened.project.settings.get("batch_key")
    return quality_flags.doublet_version(opened, key) > 0


def start_doublets(project_id: str) -> str:
    """Begin to look for doublets; return the job id.

    Raises
    ------
    JobRefused
        If the project's cells are being looked at already.
    """
    return doublets.start(project_id, batches(project_id))


def latest_job(project_id: str) -> jobs.JobSnapshot | None:
    """Return the newest search for doublets, running or ended."""
    found = [job for job in jobs.list_jobs(project_id) if job.kind == doublets.DOUBLETS]
    return found[-1] if found else None


def batches_in(opened: Workspace) -> Batches:
    """Return the batches of an opened project."""
    key = opened.project.settings.get("batch_key")
    return Batches(key, *batches_of(opened, key))
