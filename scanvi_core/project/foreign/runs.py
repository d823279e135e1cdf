"""The settings, runs and maps of a project from elsewhere: each of the kind it has to be."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanvi_core.arrays import open_array
from scanvi_core.errors import SettingInvalid
from scanvi_core.project import pack, runs
from scanvi_core.project.files import to_json
from scanvi_core.project.folder import SETTINGS, Project
from scanvi_core.project.foreign.project_file import cannot_open, portable
from scanvi_core.project.foreign.tensors import check_model
from scanvi_core.project.names import clean_label
from scanvi_core.project.records import (
    Epoch,
    FrozenSettings,
    ModelRecord,
    RunRecord,
    Settings,
    Shown,
    Status,
    Summary,
    derived_kinds,
    run_kinds,
)
from scanvi_core.project.runs import Run
from scanvi_core.type_tree import TypeTree, of_one
from scanvi_core.typed import taken

CUT_OFF = "It was cut off where the project is from."
GIVEN_UP = "It was to be trained by computers that are not known here."
NEEDED = ("y", "holdout", "rows", "batch_index", "truth", "probabilities", "z1", "z2")
LATER = frozenset(
    {"map_from", "taught_by", "pack", "renamed"}
)  # settings that runs of earlier versions lack


def settings_of(project: Project, columns: set[str], found: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a project from elsewhere: those this program knows.

    Parameters
    ----------
    project
        Where its files lie.
    columns
        Those of the table of cells.
    found
        The runs and how they stand.
    """
    shown = _read(project.root / SETTINGS)
    taken(shown, Shown)
    settings = portable(taken(shown, Settings))
    settings["name"] = clean_label(settings["name"])
    _check_column(settings.get("batch_key"), columns, "its settings")
    for key in ("current_run", "kept_run", "offered_run", "pack_run"):
        if settings.get(key) is not None and found.get(settings[key]) != runs.DONE:
            raise cannot_open(f"its settings name a run {settings[key]} that is not complete")
    return settings


def take_in(project: Project, manifest: Mapping[str, Any], genes: list[str]) -> dict[str, str]:
    """Check the runs and the derived files of a project from elsewhere, and mend their records.

    Returns
    -------
    dict
        Of each run, how it stands.

    Raises
    ------
    FileRefused, DataDamaged, Mistyped
        If something is not as it has to be.
    """
    n_obs, columns = manifest["n_obs"], set(manifest["obs_columns"])
    for path in sorted(project.derived.glob("*")):
        _check_derived(path, n_obs)
    brought = pack.folder_of(project) / pack.RECORD
    if brought.exists():
        _write(brought, taken(_read(brought), pack.PackRecord, "its pack"))
    found = dict[str, str]()
    for folder in sorted(project.runs.glob("*"), key=lambda path: int(path.name)):
        run = Run(folder.name, folder)
        settings = _frozen(run, found)
        _check_column(settings["batch_key"], columns, f"run {run.id}")
        if not set(settings["genes"]) <= set(genes):
            raise cannot_open(f"run {run.id} in it reads genes that are not there")
        for path in folder.glob("*.npy"):
            open_array(path, run_kinds(settings, n_obs)[path.stem], mapped=True)
        found[run.id] = _status(run, settings)
        _records(run)
        if found[run.id] == runs.DONE:
            _check_complete(run, settings)
    return found


def _frozen(run: Run, before: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a run, written anew without what belongs to another place."""
    record = taken(_read(run.root / "run.json"), RunRecord, f"run {run.id}")
    settings: dict[str, Any] = record["settings"]
    missing = sorted(set(FrozenSettings.__annotations__) - LATER - set(settings))
    if missing or record["id"] != run.id:
        raise cannot_open(f"the record of run {run.id} in it lacks {(missing or ['its id'])[0]}")
    names, codes = settings["label_order"], settings["code_names"]
    for listed in (names, settings["genes"], settings["batch_names"]):
        if not listed or len(set(listed)) < len(listed):
            raise cannot_open(f"run {run.id} in it has no names, or one twice")
    if codes not in (names, _code_names(run, settings)):
        raise cannot_open(f"the types of run {run.id} in it do not fit together")
    for key in ("warm_from", "taught_by", "map_from"):
        if settings.get(key) is not None and before.get(settings[key]) != runs.DONE:
            raise cannot_open(f"run {run.id} in it goes on from one that is not complete")
    _write(run.root / "run.json", record | {"settings": settings | {"store": None}})
    return settings


def _code_names(run: Run, settings: Mapping[str, Any]) -> list[str]:
    parents = of_one(settings.get("parents", {}))
    try:
        return [*TypeTree(tuple(settings["label_order"]), parents).code_names]
    except SettingInvalid as error:
        raise cannot_open(f"in run {run.id} in it {error.message.rstrip('.')}") from error


def _status(run: Run, settings: Mapping[str, Any]) -> str:
    """Return how a run stands, written anew: nobody works on it any more."""
    status = taken(_read(run.root / "status"), Status, f"the status of run {run.id}")
    now, message = status["status"], status.get("message", "")
    if now not in (runs.DONE, runs.FAILED, runs.STOPPED):  # its checkpoint stayed where it was
        ours = now != runs.WAITING and settings["store"] is None
        now, message = runs.STOPPED, CUT_OFF if ours else GIVEN_UP
    about = {"status": now, "message": message, "time": status.get("time", ""), "process": ""}
    _write(run.root / "status", about)
    return str(now)


def _records(run: Run) -> None:
    """Write the metrics and the summary anew, as far as this program knows them."""
    metrics, summary = run.root / "metrics.jsonl", run.root / "summary.json"
    if metrics.exists():
        lines = list[str]()
        for line in metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
            except ValueError:  # what a crash cut short
                continue
            about = f"the metrics of run {run.id}"
            lines.append(to_json(_whole(taken(record, Epoch, about), Epoch, _OPEN, about)) + "\n")
        metrics.write_text("".join(lines), encoding="utf-8")
    if summary.exists():
        about = f"the summary of run {run.id}"
        record = taken(_read(summary), Summary, about)
        _write(summary, _whole(record, Summary, frozenset(), about))


_OPEN = frozenset({"validation_accuracy", "validation_loss"})


def _whole(record: dict[str, Any], kind: Any, but: frozenset[str], what: str) -> dict[str, Any]:
    missing = sorted(set(kind.__annotations__) - but - set(record))
    if missing:
        raise cannot_open(f"{what} in it have no {missing[0]}")
    return record


def _check_complete(run: Run, settings: Mapping[str, Any]) -> None:
    """Find that a run that is done has its results and its model."""
    missing = [name for name in NEEDED if not run.has_array(name)]
    if missing or not (run.root / "summary.json").is_file():
        raise cannot_open(f"run {run.id} in it lacks {(missing or ['its summary'])[0]}")
    folder = run.root / "model"
    record = taken(_read(folder / "annotator.json"), ModelRecord, f"the model of run {run.id}")
    names = {"label_names": "label_order", "genes": "genes", "model": "model"}
    if any(record[key] != settings[own] for key, own in names.items()):
        raise cannot_open(f"the model of run {run.id} in it is of another run")
    check_model(folder, record)
    _write(folder / "annotator.json", record)


def _write(path: Path, value: Any) -> None:
    path.write_text(to_json(value, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> Any:
    name = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        raise cannot_open(f"{name} is not in it")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise cannot_open(f"{name} in it is no JSON") from error


def _check_column(name: str | None, columns: set[str], whose: str) -> None:
    if name is not None and name not in columns:
        raise cannot_open(f"{whose} name a column {name[:40]!r} that is not there")


def _check_derived(path: Path, n_obs: int) -> None:
    if path.suffix == ".json":
        _write(path, taken(_read(path), list[str], path.name))
    else:
        open_array(path, derived_kinds(n_obs)[path.name.partition("-")[0]], mapped=True)
