"""What the status strip and the menu say about a project."""

from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten

from scanvi_core.project import remarks
from scanvi_core.project.folder import open_project
from scanvi_core.project.label_log import events
from scanvi_core.services import jobs
from scanvi_core.services.formatting import percent
from scanvi_core.services.workspace import Workspace, is_ready, workspace

CHANGE_WIDTH = 34  # characters of the last change in the strip


@dataclass(frozen=True)
class Overview:
    """One line about a project; `n_said`: how much colleagues said that is not done."""

    name: str
    n_obs: int = 0
    n_vars: int = 0
    label_set: str = ""
    saved_at: str = ""
    last_change: str = ""
    model: str = ""
    n_said: int = 0
    job: jobs.JobSnapshot | None = None


def of(project_id: str) -> Overview:
    """Return the overview of a project, ready or still being opened."""
    running = jobs.active(project_id)
    job = running[0] if running else None
    name = open_project(project_id).name
    if not is_ready(project_id):
        return Overview(name, job=job)
    opened = workspace(project_id)
    state = opened.labels()
    settings = opened.project.settings
    change, saved = change_and_time(opened)
    label_set = settings.get("labels_key") or ("named by hand" if state.seq else "")
    return Overview(
        name=name,
        n_obs=opened.dataset.n_obs,
        n_vars=opened.dataset.n_vars,
        label_set=label_set,
        saved_at=saved,
        last_change=shorten(change, CHANGE_WIDTH, placeholder="…"),
        model=model_line(project_id),
        job=job,
        n_said=remarks.read(opened.project.root).n_open,
    )


def change_and_time(opened: Workspace) -> tuple[str, str]:
    """Return the last label change in words and its local time; empty when there was none."""
    seq = opened.labels().seq
    return opened.cache.get(("change", seq), lambda: _read_change(opened, seq))


def _read_change(opened: Workspace, seq: int) -> tuple[str, str]:
    if not seq:
        return "", ""
    event = opened.store.event(seq)
    time = datetime.fromisoformat(event.time).astimezone()
    return events.describe(event), f"{time:%H:%M:%S}"


def model_line(project_id: str) -> str:
    """Return the current model in a few words, empty when there is none."""
    run = workspace(project_id).current_run()
    if run is None:
        return ""
    summary = run.summary
    holdout = summary.get("holdout")
    score = f": {percent(holdout['accuracy'])} right" if holdout else ""
    return f"Model {summary['number']}{score}"


def pages_done(project_id: str | None) -> set[str]:
    """Return the slugs of the pages whose work is done, for the ticks in the menu."""
    if project_id is None or not is_ready(project_id):
        return set()
    opened = workspace(project_id)
    done = {"open", "check"}
    if (opened.labels().codes >= 0).any():
        done.add("labels")
    if opened.current_run() is not None:
        done.add("train")
    if any(opened.project.exports.glob("*.h5ad")):
        done.add("export")
    return done
