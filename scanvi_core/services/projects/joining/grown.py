"""A project that began with cells, labels and history of another, to which files were added."""

from dataclasses import dataclass

from scanvi_core.errors import ProjectError
from scanvi_core.services.workspace import Workspace, workspace

# In the settings: the id of the project whose cells come first; how many steps came with them
ADDED_TO, STEPS_BROUGHT = "added_to", "steps_brought"


@dataclass(frozen=True, slots=True)
class Grown:
    """A project to which files were added, as long as no model was trained on all its cells."""

    n_new: int
    n_unlabeled: int
    had_model: bool


def grown(opened: Workspace) -> Grown | None:
    """Return what is to be done after files were added; None once a model knows all cells."""
    earlier_id = opened.project.settings.get(ADDED_TO)
    if earlier_id is None or opened.current_run() is not None:
        return None
    n_unlabeled = int((opened.labels().codes < 0).sum())
    try:
        earlier = workspace(earlier_id)
    except ProjectError:  # it is gone, or is not shared any more
        return Grown(0, n_unlabeled, had_model=False)
    n_new = opened.dataset.n_obs - earlier.dataset.n_obs
    return Grown(n_new, n_unlabeled, earlier.current_run() is not None)


def n_steps_brought(opened: Workspace) -> int:
    """Return how many of the first steps of the labels were made before files were added."""
    return int(opened.project.settings.get(STEPS_BROUGHT) or 0)
