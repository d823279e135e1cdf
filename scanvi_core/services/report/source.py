"""The project a report is asked for: its folder, its name or id here, or a project file."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scanvi_core import runtime
from scanvi_core.errors import InputError
from scanvi_core.project.folder import SETTINGS, Project
from scanvi_core.services import workspace as workspaces
from scanvi_core.services.projects.project_file import take_in
from scanvi_core.services.workspace import Workspace

SHOWN = 10  # names in a hint


@contextmanager
def opened(named: str) -> Iterator[Workspace]:
    """Open a project that somebody named; one that came as a file leaves nothing behind.

    Parameters
    ----------
    named
        The folder of a project wherever it lies, a file that `take_in` takes, or the id or the
        name of a project of this installation.

    Raises
    ------
    InputError
        If there is none, or several have that name.
    """
    path = Path(named)
    if (path / SETTINGS).is_file():
        root = path.resolve()
        yield Workspace.open(Project(root.name, root))
    elif path.is_file() and zipfile.is_zipfile(path):
        # memory-mapped files cannot be removed on Windows while they are mapped
        with (
            tempfile.TemporaryDirectory(prefix="scanvi-", ignore_cleanup_errors=True) as home,
            runtime.home_at(Path(home)),
            path.open("rb") as stream,
        ):
            yield workspaces.workspace(take_in(stream))
    else:
        yield workspaces.workspace(_here(named))


def _here(named: str) -> str:
    """Return the id of the project with this id or name."""
    projects = workspaces.recent_projects()
    found = [project.id for project in projects if named in (project.id, project.name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{len(found)} projects are called {named!r}.", f"Use an id: {', '.join(found)}."
        )
    known = ", ".join(project.name for project in projects[:SHOWN])
    raise InputError(
        f"There is no project {named!r} here.",
        f"Name a project folder, a project file, or one of: {known}."
        if known else "Name a project folder or a project file.",
    )  # fmt: skip
