"""Several files as one project: each is read on its own, looked at, and then they are joined."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanvi_core.data.manifest import MANIFEST, joined_parts, read_manifest, source_files
from scanvi_core.data.manifest import Part as JoinedPart
from scanvi_core.errors import ChoiceNeeded, InputError
from scanvi_core.project.files import read_record, write_json
from scanvi_core.project.folder import Project
from scanvi_core.project.records import PartFile, PartFiles
from scanvi_core.runtime import Report
from scanvi_core.services import paths
from scanvi_core.services.projects.joining import file_names

if TYPE_CHECKING:
    from scanvi_core.data.joining.genes import Source

LIST = "parts.json"
MOST_FILES = 200
MIN_JOIN_S, JOIN_BYTES_PER_S = 300.0, 1e6  # of processor time that joining may take


@dataclass(frozen=True, slots=True)
class Part:
    """One of the files.

    Attributes
    ----------
    name
        What its cells are marked with; different from those of the others.
    path
        Where it lies.
    folder
        Where what was read of it lies.
    reference
        Whether it only teaches: it is not exported.
    """

    name: str
    path: Path
    folder: Path
    reference: bool = False

    @property
    def dataset(self) -> Path:
        """The checked copy of its data."""
        return self.folder / "dataset"

    @property
    def source(self) -> Path:
        """Files that were made or uploaded for it."""
        return self.folder / "source"

    @property
    def manifest(self) -> Path:
        """There once the file was read."""
        return self.dataset / MANIFEST


def parts(project: Project) -> list[Part]:
    """Return the files that are to be joined, in their order; none where none are."""
    listed = project.parts / LIST
    if not listed.is_file():
        return []
    files = read_record(listed, PartFiles)["files"]
    return [
        Part(
            file["name"],
            paths.stored_path(project, file["path"]),
            project.parts / str(at),
            file["reference"],
        )
        for at, file in enumerate(files)
    ]


def check_files(files: Sequence[Path]) -> None:
    """Refuse too many files, and a file that is there twice.

    Raises
    ------
    InputError
        If there is one.
    """
    if len(files) > MOST_FILES:
        raise InputError(
            f"These are {len(files)} files; {MOST_FILES} can be opened together.",
            "Join some of them before, for example with anndata.concat.",
        )
    twice = next((path.name for path in files if files.count(path) > 1), None)
    if twice is not None:
        raise InputError(f"{twice} is there twice.", "Name every file once.")


def list_files(
    project: Project,
    files: Sequence[Path],
    references: Sequence[Path] = (),
    before: Sequence[PartFile] = (),
    taken: Sequence[str] = (),
) -> list[Part]:
    """Note which files are to be joined, those to be annotated first; return them.

    Parameters
    ----------
    before
        What was read already and comes first.
    taken
        Names that none of the files gets.

    Raises
    ------
    InputError
        If a file is there twice, or there are too many.
    """
    every = [*files, *references]
    check_files(every)
    for path in every:  # whoever lists them may open them
        paths.was_imported(path)
    named = zip(
        file_names.names_of(every, [part["name"] for part in before] + [*taken]),
        every,
        strict=True,
    )
    listed: list[PartFile] = [
        {"name": name, "path": str(path), "reference": at >= len(files)}
        for at, (name, path) in enumerate(named)
    ]
    project.parts.mkdir(exist_ok=True)
    write_json(project.parts / LIST, {"files": [*before, *listed]})
    return parts(project)


def read_parts(
    project: Project,
    matrix: str | None = None,
    answers: Mapping[str, str] | None = None,
    report: Report = lambda *_: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Read the files that were not read yet, each in a guarded process of its own.

    Raises
    ------
    InputError
        If one of them cannot be used; the sentence begins with its name.
    """
    from scanvi_core.data.intake.import_file import import_file
    from scanvi_core.errors import ImportStopped

    listed = parts(project)
    for at, part in enumerate(listed):

        def tell(share: float, words: str, at: int = at, name: str = part.name) -> None:
            report((at + share) / len(listed), f"{name}: {words}")

        if part.manifest.is_file():
            continue
        try:
            import_file(
                part.path, part.dataset, matrix=matrix, answers=answers, report=tell,
                should_stop=should_stop,
            )  # fmt: skip
        except ImportStopped:
            raise
        except ChoiceNeeded as asked:
            raise InputError(
                f"{part.name} can be read in several ways: {asked.message}",
                f"{asked.hint} Or open it alone, answer there, export it, and join that file.",
            ) from asked
        except InputError as error:
            raise type(error)(f"{part.name}: {error.message}", error.hint) from error


def are_read(project: Project) -> bool:
    """Tell whether there are files to be joined, and all of them were read."""
    listed = parts(project)
    return bool(listed) and all(part.manifest.is_file() for part in listed)


def set_references(project: Project, names: Sequence[str]) -> None:
    """Say which files only teach.

    Raises
    ------
    InputError
        If no file of that name is there, or none is left to annotate.
    """
    listed = parts(project)
    unknown = sorted(set(names) - {part.name for part in listed})
    if unknown:
        known = ", ".join(part.name for part in listed)
        raise InputError(f"There is no file {unknown[0]}.", f"There is {known}.")
    if len(set(names)) == len(listed):
        raise InputError(
            "All files are references: none is left to annotate.", "Leave out at least one."
        )
    files = [
        {"name": part.name, "path": str(part.path), "reference": part.name in names}
        for part in listed
    ]
    write_json(project.parts / LIST, {"files": files})


def check_content(project: Project) -> None:
    """Refuse files of the same content under different names: each cell would be there twice.

    Raises
    ------
    InputError
        If there are two.
    """
    seen = dict[str, str]()
    for part in parts(project):
        for source in source_files(read_manifest(part.dataset)):
            digest = source["sha256"]
            if digest in seen:
                raise InputError(
                    f"{seen[digest]} and {part.name} hold the same.",
                    "Open the files once more without one of them.",
                )
            seen[digest] = part.name


def sources(project: Project) -> "list[Source]":
    """Return what was read of the files."""
    from scanvi_core.data.dataset import Dataset
    from scanvi_core.data.joining.genes import Source

    return [Source(part.name, Dataset.open(part.dataset)) for part in parts(project)]


def join_parts(
    project: Project, batch_key: str | None = None, report: Report = lambda *_: None
) -> tuple[Path, dict[str, Any], str]:
    """Write the cells of all files into one .h5ad file in the project.

    Parameters
    ----------
    batch_key
        A column that tells batches apart inside of the files that have it.

    Returns
    -------
    path, origin, batch_key
        The file, what it was made from (`scanvi_core.data.manifest.Origin`), and the column that
        tells the batches apart.

    Raises
    ------
    InputError
        If they share too few genes.
    ProjectError
        If the disk refuses.
    """
    from scanvi_core.data.guard.child_process import free_memory_mb, pass_on, run_child
    from scanvi_core.data.guard.subprocess_limits import Talk

    check_content(project)
    listed = parts(project)
    target = project.source / "joined.h5ad"
    files = (file for part in listed for file in part.dataset.glob("counts_*.npy"))
    request = {
        "task": "join",
        "parts": [{"name": part.name, "folder": str(part.dataset)} for part in listed],
        "target": str(target),
        "batch_key": batch_key,
        "memory_mb": free_memory_mb(),
        "timeout_s": MIN_JOIN_S + sum(file.stat().st_size for file in files) / JOIN_BYTES_PER_S,
    }
    made = run_child(request, Talk(lambda line: pass_on(report, line)))
    origin = {
        "name": target.name,
        "path": "",
        "kind": f"{len(listed)} files",
        "notes": made["notes"],
        "answers": {},
        "sha256": "",
        "parts": [
            file
            for at, part in enumerate(listed)
            for file in _files(project, part, at, made["separator"])
        ],
    }
    return target, origin, made["batch_key"]


def forget(project: Project) -> None:
    """Remove what was read of the files, once they are joined."""
    shutil.rmtree(project.parts, ignore_errors=True)


def _files(project: Project, part: Part, at: int, separator: str) -> list[dict[str, Any]]:
    """Return what the joined file says of a part, or of the files it was itself joined from."""
    manifest = read_manifest(part.dataset)
    alone: JoinedPart = {
        "name": part.name,
        "ending": "",
        "reference": False,
        "n_obs": manifest["n_obs"],
        "n_vars": manifest["n_vars"],
        "counts_source": manifest["counts_source"],
        "source": manifest["source"],
    }
    return [
        {
            **file,
            "ending": f"{separator}{file['name']}" if separator else "",
            "reference": file["reference"] or part.reference,
            "source": file["source"] | {"path": _keep(project, part, at, file["source"]["path"])},
        }
        for file in joined_parts(manifest) or [alone]
    ]


def _keep(project: Project, part: Part, at: int, path: str) -> str:
    """Return where a file lies from now on: what was made or uploaded for a part is kept."""
    made = Path(path)
    if made.parent != part.source:
        return path
    kept = project.source / f"{at}-{made.name}"
    if made.is_file():
        made.rename(kept)
    return str(kept)
