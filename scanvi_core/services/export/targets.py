"""Where nothing may be written: the user's own files, and what the program keeps."""

from collections.abc import Iterator
from pathlib import Path

from scanvi_core.errors import ExportError, FileRefused
from scanvi_core.export.replaceable import check_replaceable
from scanvi_core.project.folder import projects_home
from scanvi_core.services.projects.joining.joined_files import joined_files
from scanvi_core.services.workspace import Workspace, source_path


def check_target(opened: Workspace, target: Path) -> None:
    """Refuse to write over what a project was made from, or among the files of any project.

    Raises
    ------
    ExportError
        If that is where the target lies, or what lies there is no plain file.
    """
    check_replaceable(target)
    for path in _own_files(opened):
        if target.exists() and path.exists() and target.samefile(path):
            raise ExportError(
                f"{target} is your own file {path.name}, which is never written to.",
                "Choose another name.",
            )
    place, homes = target.resolve(), (projects_home().resolve(), opened.project.root.resolve())
    inside = any(place.is_relative_to(home) for home in homes)
    if inside and place.parent != opened.project.exports.resolve():
        raise ExportError(
            f"{target} lies among the projects, where the program keeps what it needs.",
            "Choose another folder.",
        )


def _own_files(opened: Workspace) -> Iterator[Path]:
    """Yield the files of the user, references too."""
    yield from (Path(file.source["path"]) for file in joined_files(opened))
    try:
        yield source_path(opened)
    except FileRefused:  # nor can it be written over by who may not open it
        return
