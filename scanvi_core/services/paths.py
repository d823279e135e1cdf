"""Which files may be opened: the only way to a path that users wrote or a file names."""

from pathlib import Path

from scanvi_core import runtime
from scanvi_core.errors import FileRefused
from scanvi_core.project import access
from scanvi_core.project.folder import Project, projects_home

_imported: set[Path] = set()  # files outside of all projects, since the program was started


def was_imported(path: Path) -> None:
    """Note that a file was imported: it may be opened again as long as the program runs."""
    path = path.resolve()
    if not path.is_relative_to(projects_home().resolve()):
        _imported.add(path)


def stored_path(project: Project, text: str) -> Path:
    """Return a path that a file of a project names, if it may be opened; it may be gone.

    Every path that was read from a file goes through here: it lies in the project, links
    followed, or below the data folder, as what users name; or it was imported since the program
    was started, as by the command line, which takes any file of its user.

    Raises
    ------
    FileRefused
        If it lies elsewhere.
    """
    root = project.root.resolve()
    path = _resolved(root, Path(text), text)
    known = path in _imported or path.is_relative_to(root)
    return path if known else _below_data_root(path, text)


def allowed_path(text: str, *, folders: bool = False) -> Path:
    """Resolve a user's path and make sure it is a file, or a folder, below the data folder."""
    root = runtime.data_root().resolve()
    if not text.strip():
        raise FileRefused("No path was given.", "Write one, or choose a file with Browse.")
    path = _below_data_root(_resolved(root, text.strip().strip("\"'"), text), text)
    if not (path.is_file() or (folders and path.is_dir() and path != root)):
        raise FileRefused(
            f"There is no file {path}.", "Check the path; upper and lower case count."
        )
    return path


def _resolved(root: Path, part: str | Path, text: str) -> Path:
    """Return a path as seen from a folder, without links; ``~`` is known in what users wrote."""
    try:
        written = Path(part).expanduser() if isinstance(part, str) else part
        path = (root / written).resolve()
        path.is_file()  # fails where the path is no path
    except (OSError, RuntimeError, ValueError) as error:  # too long, a loop of links, no such user
        raise FileRefused(
            f"{text[:80]!r} is no usable path.", "Check it for typing errors."
        ) from error
    return path


def _below_data_root(path: Path, text: str) -> Path:
    root = runtime.data_root().resolve()
    if not path.is_relative_to(root):
        raise FileRefused(
            f"{text} is outside the data folder {root}.",
            f"Move the file there, or set {runtime.DATA_ROOT_VARIABLE} to a folder above it.",
        )
    access.check_place(path)
    return path
