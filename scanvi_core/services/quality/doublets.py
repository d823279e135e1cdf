"""The search for doublets, one batch after the other: asked for, or a part of the look at a model.

Whoever begins it, the scores are those of these counts and batches, kept once for all.
"""

import numpy as np

from scanvi_core import runtime
from scanvi_core.config import TrainConfig
from scanvi_core.project.files import write_json
from scanvi_core.services import derived, jobs
from scanvi_core.services.jobs import give_way
from scanvi_core.services.quality.flags import doublet_file
from scanvi_core.services.workspace import Batches, Workspace

DOUBLETS = "doublets"  # kind and lane
SHOWN = 3  # batches named in a sentence


def start(opened: Workspace) -> str:
    """Begin to look for doublets in the project's batches; return the job id.

    Raises
    ------
    JobRefused
        If the project's cells are being looked at already.
    """
    batches = opened.batches(opened.batch_key)

    def work(job: jobs.Job) -> None:
        give_way()
        search(opened, batches, job)

    return jobs.submit(jobs.JobRequest(opened.id, DOUBLETS, DOUBLETS, work, changes=False))


def latest(opened: Workspace) -> jobs.JobSnapshot | None:
    """Return the newest search for doublets, running or ended."""
    searches = [job for job in jobs.list_jobs(opened.id) if job.kind == DOUBLETS]
    return searches[-1] if searches else None


def search(
    opened: Workspace, batches: Batches, job: jobs.Job, part: tuple[float, float] = (0.0, 1.0)
) -> bool:
    """Score the cells of every batch and keep the scores; return whether it came to that.

    A stopped job leaves nothing. `part` is where the search begins and ends in the job's progress.
    """
    from scanvi_core.data.guard.child_process import free_memory_mb
    from scanvi_core.data.qc.doublets import find_doublets, why_not

    dataset = opened.dataset
    score = np.full(dataset.n_obs, np.nan, dtype=np.float32)
    full = np.asarray(dataset.totals) > 0
    lengths = np.diff(dataset.counts.indptr)
    skipped: dict[str, list[str]] = {}
    for code, name in enumerate(batches.names):
        if job.should_stop():
            return False
        done = part[0] + (part[1] - part[0]) * code / len(batches.names)
        job.report(done, f"Looking for doublets in {name}")
        rows = np.flatnonzero(full & (batches.index == code))
        problem = why_not(len(rows), int(lengths[rows].sum()), free_memory_mb())
        if not problem:
            found = find_doublets(dataset.counts[rows], TrainConfig().seed)
            score[rows], problem = found.score, found.problem
        if problem:
            skipped.setdefault(problem, []).append(name)
    path = doublet_file(opened, batches.key)
    path.parent.mkdir(exist_ok=True)
    write_json(path.with_suffix(".json"), sentences(skipped, batches.key))
    with runtime.replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, score, allow_pickle=False)
    return True


def sentences(skipped: dict[str, list[str]], batch_key: str | None) -> list[str]:
    """Say which batches were not looked at, why, and what can be done.

    Parameters
    ----------
    skipped
        Reason, as the end of a sentence, to the batches it holds for.
    batch_key
        Column of the batches; None when all cells are one.
    """
    texts = []
    for problem, names in skipped.items():
        where = "The cells were" if batch_key is None else _named(names)
        advice = ""
        if batch_key is None and "more than" in problem:
            advice = " Choose the batch column that tells the samples apart."
        texts.append(f"{where} not looked at: {problem}.{advice}")
    return texts


def notes(opened: Workspace, batch_key: str | None) -> tuple[str, ...]:
    """Return what the last search could not look at, in sentences."""
    path = doublet_file(opened, batch_key).with_suffix(".json")
    return tuple(derived.record(path, list[str]) or ())


def _named(names: list[str]) -> str:
    shown, rest = ", ".join(names[:SHOWN]), len(names) - SHOWN
    more = f" and {rest:,} more" if rest > 0 else ""
    return f"{shown}{more} {'was' if len(names) == 1 else 'were'}"
