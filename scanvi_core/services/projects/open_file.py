"""Opening data: the example, a path, uploads; the import runs as a job."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from scanvi_core.data.guard.signatures import plain_name
from scanvi_core.errors import ChoiceNeeded, InputError, ProjectError
from scanvi_core.project import access
from scanvi_core.project.folder import Project, create_project, open_project
from scanvi_core.services import jobs, paths, request_limits
from scanvi_core.services.paths import allowed_path
from scanvi_core.services.workspace import (
    IO_LANE,
    Workspace,
    _lock,
    _open,
    is_ready,
    source_path,
    workspace,
)

OPEN = "open"
QUESTION, ANSWERS = "question", "answers"  # in the settings of a project
TWICE_S = 60.0  # what is opened again within so many seconds, and untouched, is the same click
EXAMPLE_NAME = "Example: 700 blood cells"


def open_example() -> str:
    """Start opening the built-in example; return the project id."""
    from scanvi_core.data.example import write_example

    def fetch(project: Project) -> Path:
        return write_example(project.source / "pbmc68k_reduced.h5ad")

    return _once((EXAMPLE_NAME,), lambda: start(EXAMPLE_NAME, fetch))


def open_path(text: str) -> str:
    """Start opening a file or folder of this computer; return the project id.

    Raises
    ------
    FileRefused
        If the path does not lead to a file or folder below the data folder.
    """
    path = allowed_path(text, folders=True)
    about = path.stat()
    return _once(
        (str(path), about.st_size, about.st_mtime_ns),
        lambda: start(plain_name(path.name), lambda _: path),
    )


def open_uploads(files: Sequence[tuple[str, IO[bytes]]]) -> str:
    """Keep uploaded files in a new project and start opening them; return the project id.

    Several files belong together: a matrix with its lists of genes and cells. Those that each
    hold cells are for :func:`scanvi_core.services.projects.joining.several_files.open_uploads`.
    """
    named = {Path(name).name or "upload": stream for name, stream in files}

    def store(project: Project) -> Path:
        paths = keep_uploads(project, named)
        return paths[0].parent if len(paths) > 1 else paths[0]

    return start(plain_name(min(named, key=len)), store)


def keep_uploads(project: Project, named: Mapping[str, IO[bytes]]) -> list[Path]:
    """Write uploaded files into a project, several into a folder; return their paths."""
    import shutil

    folder = project.source
    if len(named) > 1:
        folder = folder / "uploaded"
        folder.mkdir()
    for name, stream in named.items():
        with (folder / name).open("wb") as handle:
            shutil.copyfileobj(stream, handle, 1 << 20)
    return [folder / name for name in named]


def reimport(project_id: str, matrix: str) -> str:
    """Import the project's file again with another count matrix; return the job id.

    Raises
    ------
    InputError
        If labels were already given: they would be lost; or if the file has changed.
    """
    opened = workspace(project_id)
    if opened.labels().seq:
        raise InputError(
            "Labels were already chosen for this data set.",
            "Open the file again to start over with another matrix.",
        )
    path, known = source_path(opened), opened.dataset.manifest["source"]
    if path.exists() and path.stat().st_mtime_ns != known["mtime_ns"]:
        raise InputError(
            f"{path.name} has changed since it was opened.", "Open it as a new project."
        )
    return submit_import(opened.project, lambda _: path, matrix)


_latest: dict[tuple[Any, ...], tuple[float, str]] = {}  # when and as what a source was opened
_opening = threading.Lock()


def _once(source: tuple[Any, ...], begin: Callable[[], str]) -> str:
    """Return the project that the same person just made of a source, or a new one.

    Enter and a click on the button, or two clicks, are one wish. A project in which something
    was done already, or whose opening ended without data, is not what a second wish is for.
    """
    key = (access.asking(), *source)
    with _opening:
        at, project_id = _latest.get(key, (-TWICE_S, ""))
        if time.monotonic() - at > TWICE_S or not _untouched(project_id):
            project_id = begin()
            _latest[key] = time.monotonic(), project_id
        return project_id


def _untouched(project_id: str) -> bool:
    """Tell whether a project is being opened, or was, and nothing was done in it yet."""
    try:
        if jobs.active(project_id, OPEN):
            return True
        project = open_project(project_id)
        return is_ready(project_id) and not (
            project.settings.get(ANSWERS) or workspace(project_id).labels().seq
        )
    except ProjectError:
        return False


def start(name: str, fetch: Callable[[Project], Path]) -> str:
    """Make a project and start opening in it what `fetch` finds or makes; return its id."""
    request_limits.take(request_limits.PROJECT)
    project = create_project(name)
    submit_import(project, fetch)
    return project.id


def submit_import(
    project: Project,
    fetch: Callable[[Project], Path],
    matrix: str | None = None,
    answers: Mapping[str, str] | None = None,
) -> str:
    """Fetch a file and import it in the background; return the job id.

    A question about the file ends the job and is kept in the settings of the project; see
    :mod:`scanvi_core.services.projects.questions`. The job's result is the path of the file.
    """

    def work(job: jobs.Job) -> str:
        job.report(0.0, "Fetching the file")
        path = fetch(project)
        with stopping(job):
            try:
                import_into(
                    project, path, matrix, answers, report=job.report, should_stop=job.should_stop
                )
            except ChoiceNeeded as asked:
                project.update_settings(**{QUESTION: asked.question | {"path": str(path)}})
        return str(path)

    return jobs.submit(jobs.JobRequest(project.id, OPEN, IO_LANE, work))


@contextmanager
def stopping(job: jobs.Job) -> Iterator[None]:
    """Let a job whose reading was stopped, as it was asked to, end without an error."""
    from scanvi_core.errors import ImportStopped

    try:
        yield
    except ImportStopped:
        job.report(0.0, "Stopped")


def open_again(project_id: str) -> str:
    """Start once more the opening of a file that was stopped; return the job id.

    Raises
    ------
    InputError
        If none was stopped while it was read.
    """
    path = stopped_file(project_id)
    if path is None:
        raise InputError("No file was stopped while it was opened.", "Choose a file to open.")
    project = open_project(project_id)
    return submit_import(project, lambda _: path, answers=project.settings.get(ANSWERS))


def stopped_file(project_id: str) -> Path | None:
    """Return the file whose first opening was stopped, if it is still there."""
    opening = [job for job in jobs.list_jobs(project_id) if job.kind == OPEN][-1:]
    if is_ready(project_id) or not opening or opening[0].status is not jobs.JobStatus.STOPPED:
        return None
    path = Path(opening[0].result) if opening[0].result else None
    return path if path is not None and path.exists() else None


def import_into(
    project: Project,
    path: Path,
    matrix: str | None = None,
    answers: Mapping[str, str] | None = None,
    **more: Any,
) -> Workspace:
    """Check the file in a child process and keep a trusted copy in the project.

    What else is given goes to :func:`scanvi_core.data.intake.import_file.import_file`.
    """
    from scanvi_core.data.intake.import_file import import_file

    manifest = import_file(path, project.dataset, matrix=matrix, answers=answers, **more)
    paths.was_imported(path)
    batches = [candidate["key"] for candidate in manifest["batch_candidates"]]
    project.update_settings(batch_key=batches[0] if batches else None, **{QUESTION: None})
    with _lock:
        _open.pop(project.id, None)
    return workspace(project.id)
