"""What a cut-off ``annotate`` keeps: its run, beside the file it was to write; and going on.

The run's folder holds what it was begun with and its last checkpoint, or its results. The counts
are not kept: they are read again from the files, and must be the same.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core import ending
from scanvi_core.errors import InputError, ProjectError, reason_of
from scanvi_core.project.files import read_json, write_json
from scanvi_core.project.runs import DONE, INTERRUPTED, RUNNING, Run
from scanvi_core.services.runs import frozen_run
from scanvi_core.services.runs.inputs import inputs_of
from scanvi_core.services.workspace import Workspace

SUFFIX = ".unfinished"
ASKED, RUN = "asked.json", "run"
BEGIN_ANEW = "Leave out --resume to begin anew."


def folder_of(target: Path) -> Path:
    """Return where the run is kept for a file that is to be written."""
    target = target.absolute()
    return target.with_name(target.name + SUFFIX)


@contextmanager
def kept_if_cut_off(opened: Workspace, target: Path, asked: Mapping[str, Any]) -> Iterator[None]:
    """Keep the run where the work ends before its time, and say so; else keep nothing."""

    def keep() -> None:
        try:
            if _keep(opened, folder_of(target), asked):
                ending.say(
                    f"What was trained is in {folder_of(target)}: the same command with --resume "
                    "goes on from there."
                )
        except (OSError, ProjectError, shutil.Error):  # the disk is full, say
            ending.remove(folder_of(target))
            raise

    with ending.undone_by(keep):
        try:
            yield
        except BaseException:
            keep()
            raise
    _forget(folder_of(target))


def _keep(opened: Workspace, folder: Path, asked: Mapping[str, Any]) -> bool:
    """Move the run of a project to a folder; tell whether there is something to go on from."""
    for run in Run.list(opened.project)[-1:]:
        state = run.status.status
        if state != DONE and not (
            state in (RUNNING, INTERRUPTED) and run.paths.checkpoint.is_file()
        ):
            return False
        _forget(folder)
        folder.mkdir(exist_ok=True)
        for half in run.root.glob(".*.tmp"):
            half.unlink(missing_ok=True)
        shutil.copytree(run.root, folder / RUN)
        write_json(folder / ASKED, dict(asked))  # last: without it nothing is kept
        return True
    return False


def take_up_kept(opened: Workspace, target: Path, asked: Mapping[str, Any]) -> Run:
    """Put the run that was kept into a fresh project of the same cells and labels; return it.

    Raises
    ------
    InputError
        If nothing was kept, or it is of another command.
    """
    folder = folder_of(target)
    if not (folder / ASKED).is_file():
        raise InputError(f"There is nothing to go on from: no {folder}.", BEGIN_ANEW)
    before = read_json(folder / ASKED)
    now = dict(asked)
    other = [name for name in now if not isinstance(before, dict) or before.get(name) != now[name]]
    if other:
        raise InputError(
            f"What is in {folder} was begun with another {', '.join(other)}.",
            f"Give the same command as then. {BEGIN_ANEW}",
        )
    opened.project.runs.mkdir(exist_ok=True)
    root = opened.project.runs / "0001"
    try:
        shutil.copytree(folder / RUN, root)
    except (OSError, shutil.Error) as error:
        why = reason_of(error) if isinstance(error, OSError) else "a file is missing"
        raise InputError(f"{folder} cannot be read: {why}.", BEGIN_ANEW) from error
    run = Run.open(opened.project, "0001")
    then, inputs = frozen_run.frozen_inputs(run), inputs_of(opened)
    if not np.array_equal(then.y, inputs.y) or then.label_names != inputs.label_names:
        raise InputError(f"The labels are others than those in {folder}.", BEGIN_ANEW)
    return run


def _forget(folder: Path) -> None:
    """Remove what was kept before; any other folder of that name is left alone."""
    if (folder / ASKED).is_file():
        shutil.rmtree(folder, ignore_errors=True)
