"""The folder of one training run: what went in, how it went, what came out.

``run.json`` is written once, before the start. ``metrics.jsonl`` grows line by line. Results are
``.npy`` arrays and ``summary.json``; each appears whole or not at all.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from scanvi_core.arrays import Kind, Stamp, open_array, stamp
from scanvi_core.errors import DataDamaged, InputError, ProjectError
from scanvi_core.project import heartbeat, locks
from scanvi_core.project.files import not_written, read_record, to_json, write_json
from scanvi_core.project.folder import Project
from scanvi_core.project.records import (
    Count,
    Date,
    Epoch,
    FrozenSettings,
    Status,
    Summary,
    run_kinds,
)
from scanvi_core.project.run_paths import RunPaths
from scanvi_core.project.run_settings import RunSettings
from scanvi_core.runtime import replacing
from scanvi_core.typed import taken

QUEUED, WAITING, RUNNING, DONE, FAILED, STOPPED, INTERRUPTED = (
    "queued", "waiting", "running", "done", "failed", "stopped", "interrupted",
)  # fmt: skip
STATUSES = (QUEUED, WAITING, RUNNING, DONE, FAILED, STOPPED, INTERRUPTED)  # waiting for a machine
CLOSED = "The program was closed before this run ended."
CANCELED = "It was canceled."
ZEROS = 2**24  # bytes written at once
RUNS_KNOWN = 64
_ID = re.compile(r"[0-9]{4,9}", re.ASCII)


class _Frozen(TypedDict):
    created: Date
    settings: FrozenSettings


class _Cells(TypedDict):
    n_obs: Count


class RunStatus(NamedTuple):
    """Where a run stands: one of `STATUSES`, a sentence, since when (UTC, ISO text), says who.

    `process` is the mark of the process that wrote it, see `scanvi_core.project.locks`.
    """

    status: str
    message: str = ""
    time: str = ""
    process: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a project; ids count up from ``0001``."""

    id: str
    root: Path

    @classmethod
    def create(cls, project: Project, settings: RunSettings) -> Self:
        """Make the folder of a new run and freeze its settings.

        Raises
        ------
        ProjectError
            If the disk refuses.
        """
        number = 1 + max((int(run.id) for run in cls.list(project)), default=0)
        try:
            project.runs.mkdir(exist_ok=True)
            while True:
                run = cls(f"{number:04d}", project.runs / f"{number:04d}")
                try:
                    run.root.mkdir()
                    break
                except FileExistsError:  # made by another window this moment
                    number += 1
        except OSError as error:
            raise not_written(project.runs, error) from error
        run.set_status(QUEUED)
        record = {"format": 1, "id": run.id, "created": _now(), "settings": settings.as_dict()}
        write_json(run.paths.settings, record)
        return run

    @classmethod
    def open(cls, project: Project, identifier: str) -> Self:
        """Return the run with this id.

        Raises
        ------
        ProjectError
            If there is none.
        """
        run = cls(identifier, project.runs / identifier) if _ID.fullmatch(identifier) else None
        if run is None or not run.paths.settings.is_file():
            raise ProjectError(f"There is no run {identifier[:20]!r}.", "Choose one of the list.")
        return run

    @classmethod
    def at(cls, folder: Path) -> tuple[Project, Self]:
        """Return the run whose folder this is, and its project, wherever that lies.

        Raises
        ------
        InputError
            If it is no such folder.
        """
        root = folder.resolve()
        if not RunPaths(root).settings.is_file() or root.parent.name != "runs":
            raise InputError(
                f"{folder} is not the folder of a training run.",
                "Name a folder such as PROJECT/runs/0001, which the Train page prepares.",
            )
        return Project(root.parents[1].name, root.parents[1]), cls(root.name, root)

    @classmethod
    def list(cls, project: Project) -> list[Self]:
        """Return all runs of a project, the oldest first."""
        settings = RunPaths(Path("*")).settings
        folders = [path.parent.name for path in project.runs.glob(str(settings))]
        names = sorted((name for name in folders if _ID.fullmatch(name)), key=int)
        return [cls(name, project.runs / name) for name in names]

    @property
    def settings(self) -> RunSettings:
        """What the run was started with.

        Raises
        ------
        ProjectError
            If the file is damaged.
        """
        return RunSettings.from_dict(self._record.get("settings"))

    @property
    def created(self) -> datetime:
        """When it was made, in local time."""
        return datetime.fromisoformat(self._record["created"]).astimezone()

    @property
    def _record(self) -> dict[str, Any]:
        return dict(read_record(self.paths.settings, _Frozen))

    @property
    def paths(self) -> RunPaths:
        """Where its files lie."""
        return RunPaths(self.root)

    def append_record(self, record: Any) -> None:
        """Add one line to the metrics: a mapping or a dataclass.

        Raises
        ------
        ProjectError
            If the disk refuses.
        """
        path = self.paths.records
        try:
            with path.open("ab+") as file:
                if file.tell() and _last_byte(file) != b"\n":
                    file.write(b"\n")  # a crash left half a line: begin a new one
                file.write(to_json(record).encode() + b"\n")
        except OSError as error:
            raise not_written(path, error) from error

    def records(self) -> tuple[dict[str, Any], ...]:
        """Return the metrics; a line that a crash cut short, or no record, is left out."""
        path = self.paths.records
        if not path.exists():
            return ()
        records = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
                taken(record, Epoch)
            except (ValueError, RecursionError):
                continue
            records.append(record)
        return tuple(records)

    def write_array(self, name: str, array: NDArray[Any]) -> None:
        """Save an array of results as ``<name>.npy``.

        Raises
        ------
        ProjectError
            If the name is not lower-case letters, digits and ``_``, the array holds Python
            objects, or the disk refuses.
        """
        path = self.paths.array(name)
        if array.dtype.hasobject:
            raise ProjectError(f"The result {name} holds Python objects and cannot be saved.")
        try:
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        except OSError as error:
            raise not_written(path, error) from error

    @contextmanager
    def new_arrays(
        self, shapes: Mapping[str, tuple[int, int]]
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Give room for float32 arrays of results on the disk; they are saved at the end.

        Raises
        ------
        ProjectError
            If the disk has no room for them.
        """
        with ExitStack() as stack:
            files = dict[str, NDArray[Any]]()
            for name, shape in shapes.items():
                path = self.paths.array(name)
                temporary = stack.enter_context(replacing(path))
                try:
                    files[name] = _reserved(temporary, shape)
                except OSError as error:
                    raise not_written(path, error) from error
            yield files

    def array(self, name: str) -> NDArray[Any]:
        """Return a saved array, mapped from disk and read-only.

        Raises
        ------
        ProjectError
            If it is not there or damaged.
        """
        path = self.paths.array(name)
        try:
            return open_array(path, self._kinds().get(name, Kind()))
        except DataDamaged as error:
            raise DataDamaged(
                f"Run {self.id} has no readable result {name}: {error.message}", "Train again."
            ) from error

    def has_array(self, name: str) -> bool:
        """Tell whether an array was saved under this name."""
        return self.paths.array(name).is_file()

    def array_time(self, name: str) -> int:
        """Return when an array was written, in ns; 0 when it was not."""
        path = self.paths.array(name)
        return path.stat().st_mtime_ns if path.is_file() else 0

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Save the outcome in plain JSON values."""
        write_json(self.paths.summary, summary)

    @property
    def summary(self) -> dict[str, Any]:
        """The outcome; empty before there is one.

        Raises
        ------
        ProjectError
            If the run is done and says nothing of it.
        """
        path = self.paths.summary
        if path.exists() or self.status.status == DONE:
            return read_record(path, Summary)
        return {}

    def set_status(self, status: str, message: str = "") -> None:
        """Write down where the run stands (one of `STATUSES`) and a sentence for people."""
        if status not in STATUSES:
            raise ProjectError(f"{status} is not a status of a run.")
        now = RunStatus(status, message, _now(), locks.own_mark())
        write_json(self.paths.status, now._asdict())

    @property
    def status(self) -> RunStatus:
        """Where the run stands by its own word; see `status_seen`."""
        return RunStatus(**taken(read_record(self.paths.status, Status), Status))

    def _kinds(self) -> dict[str, Kind]:
        record, manifest = self.paths.settings, self.root.parents[1] / "dataset/manifest.json"
        if not record.is_file():
            return {}
        return _kinds(stamp(record), stamp(manifest) if manifest.is_file() else None)


@lru_cache(RUNS_KNOWN)
def _kinds(run: Stamp, manifest: Stamp | None) -> dict[str, Kind]:
    """Return what the arrays of a run must be, once for each state of its record."""
    settings = read_record(Path(run[0]), _Frozen)["settings"]
    about = {} if manifest is None else read_record(Path(manifest[0]), _Cells)
    return run_kinds(settings, about.get("n_obs"))


def status_seen(run: Run) -> RunStatus:
    """Return where a run stands.

    A run that says it is queued or running, but whose process is gone, or shows no sign of life
    from another machine, was cut off by a crash, a kill or a restart.
    """
    status = run.status
    if status.status in (QUEUED, RUNNING) and not _lives(run, status.process):
        return status._replace(status=INTERRUPTED, message=CLOSED)
    return status


def _lives(run: Run, mark: str) -> bool:
    if locks.is_elsewhere(mark):
        return heartbeat.shows_life(run.paths)
    return locks.lives(mark)


def _reserved(path: Path, shape: tuple[int, int]) -> NDArray[Any]:
    """Return a new array over a file whose room is taken: a full disk would end the program."""
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        left = 4 * math.prod(shape)
        while left > 0:
            left -= file.write(bytes(min(left, ZEROS)))
    return np.load(path, mmap_mode="r+", allow_pickle=False)


def _last_byte(file: Any) -> bytes:
    file.seek(-1, 2)
    return bytes(file.read(1))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
