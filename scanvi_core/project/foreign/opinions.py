"""The opinions of a project from elsewhere: every record and array of the kind it has to be."""

import json
from pathlib import Path

from scanvi_core.arrays import open_array
from scanvi_core.project.files import to_json
from scanvi_core.project.folder import Project
from scanvi_core.project.foreign.project_file import cannot_open
from scanvi_core.project.names import clean_label
from scanvi_core.project.opinions import RECORD
from scanvi_core.project.records import OpinionRecord, opinion_kinds
from scanvi_core.typed import taken

MOST = 200  # opinions in one project


def take_in(project: Project, n_obs: int) -> None:
    """Check the opinions of a project from elsewhere, and write their records anew.

    Raises
    ------
    FileRefused, DataDamaged, Mistyped
        If something is not as it has to be.
    """
    folders = sorted(project.opinions.glob("*"))
    if len(folders) > MOST:
        raise cannot_open(f"it holds {len(folders):,} opinions")
    for folder in folders:
        record = _record(folder)
        kinds = opinion_kinds(len(record["label_names"]), n_obs)
        for name, kind in kinds.items():
            open_array(folder / f"{name}.npy", kind, mapped=True)
        (folder / RECORD).write_text(to_json(record, indent=1) + "\n", encoding="utf-8")


def _record(folder: Path) -> OpinionRecord:
    """Return the record of an opinion, whose names fit together."""
    path, about = folder / RECORD, f"opinion {folder.name}"
    if not path.is_file():
        raise cannot_open(f"{about} in it has no record")
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise cannot_open(f"the record of {about} in it is no JSON") from error
    record: OpinionRecord = taken(read, OpinionRecord, about)
    names = record["label_names"]
    if record["id"] != folder.name:
        raise cannot_open(f"the record of {about} in it is of another one")
    if not names or len(set(names)) < len(names) or not set(record["names"]) <= set(names):
        raise cannot_open(f"the names of {about} in it do not fit together")
    if any(clean_label(here) != here for here in record["names"].values()):
        raise cannot_open(f"{about} in it means types by odd names")
    return record
