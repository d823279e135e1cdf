"""What others say of the cells: columns that other tools wrote, tables of marker genes.

An opinion is no label: nothing is trained on it as it is, and it changes no label. It gives each
cell at most one of its own names and how sure it is; which type of the project a name means is
kept beside it and can be changed. Each lies in a folder ``opinions/ID`` of the project:
``opinion.json``, ``labels.npy``, ``scores.npy``.
"""

import logging
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from scanvi_core.arrays import open_array
from scanvi_core.errors import InputError, ProjectError, SettingInvalid
from scanvi_core.project import access
from scanvi_core.project.files import not_written, read_record, write_json
from scanvi_core.project.folder import Project
from scanvi_core.project.names import MAX_LABEL_LENGTH, clean_label
from scanvi_core.project.records import OpinionRecord, OpinionSource, opinion_kinds

logger = logging.getLogger(__name__)
RECORD = "opinion.json"


@dataclass(frozen=True, eq=False)
class Opinion:
    """What one witness says of every cell.

    Attributes
    ----------
    name
        Whose opinion it is, as people read it: "CellTypist (majority_voting)".
    label_names
        The names that it uses, as it writes them.
    labels
        Per cell a code of `label_names`, -1 where it says nothing; int32 [n_obs].
    scores
        Per cell how sure it is of that name, 0 to 1 on a scale of its own, NaN where it does not
        say; float32 [n_obs].
    source
        Where it comes from: a column of the file, or marker genes.
    names
        Type of the project that a name means, by the name; the others mean none yet.
    about
        What it was made from, in words of the source: columns, table, tissue, method.
    id
        8 hexadecimal digits, the name of its folder; "" before it is kept.
    """

    name: str
    label_names: tuple[str, ...]
    labels: np.ndarray
    scores: np.ndarray
    source: OpinionSource
    names: Mapping[str, str]
    about: Mapping[str, str]
    id: str = ""


def keep(project: Project, opinion: Opinion) -> Opinion:
    """Write an opinion into the project; return it with its id.

    Raises
    ------
    SettingInvalid
        If its name, one that it uses or a type that one means is empty or too long.
    ProjectError
        If the disk refuses, or who asks may only look.
    """
    access.check_write(project.root)
    for own in opinion.label_names:
        _check_own(own)
    identifier = secrets.token_hex(4)
    folder = project.opinions / identifier
    record: OpinionRecord = {
        "format": 1,
        "id": identifier,
        "name": clean_label(opinion.name),
        "source": opinion.source,
        "created": datetime.now(UTC).isoformat(),  # by which several kept at once stay in order
        "label_names": list(opinion.label_names),
        "names": _meant(opinion.names),
        "about": dict(opinion.about),
    }
    try:
        folder.mkdir(parents=True)
        np.save(folder / "labels.npy", opinion.labels.astype(np.int32))
        np.save(folder / "scores.npy", opinion.scores.astype(np.float32))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise not_written(folder, error) from error
    write_json(folder / RECORD, record)  # last: an opinion without it is none
    return read(project, identifier)


def listed(project: Project) -> list[Opinion]:
    """Return the opinions of a project, the oldest first; one that is damaged is left out."""
    found = list[tuple[str, str, Opinion]]()
    for path in project.opinions.glob(f"*/{RECORD}"):
        name = path.parent.name
        try:
            found.append((_record(project, name)["created"], name, read(project, name)))
        except ProjectError:  # labels and models do not need it
            logger.warning("The opinion %s of %s is damaged.", name, project.id, exc_info=True)
    return [one for *_, one in sorted(found, key=lambda item: item[:2])]


def read(project: Project, identifier: str) -> Opinion:
    """Return the opinion with this id.

    Raises
    ------
    InputError
        If there is none.
    DataDamaged
        If its files are not what was written.
    """
    record = _record(project, identifier)
    kinds = opinion_kinds(len(record["label_names"]), None)
    labels, scores = (
        open_array(project.opinions / identifier / f"{name}.npy", kinds[name])
        for name in ("labels", "scores")
    )
    return Opinion(
        record["name"], tuple(record["label_names"]), labels, scores, record["source"],
        record["names"], record["about"], identifier,
    )  # fmt: skip


def set_names(project: Project, identifier: str, names: Mapping[str, str]) -> None:
    """Say which type of the project each name of an opinion means.

    Raises
    ------
    InputError
        If there is no such opinion, or it does not use one of the names.
    ProjectError
        If the disk refuses, or who asks may only look.
    """
    access.check_write(project.root)
    record = _record(project, identifier)
    strange = sorted(set(names) - set(record["label_names"]))
    if strange:
        raise InputError(f"{record['name']} does not say {strange[0]!r}.", "Reload the page.")
    write_json(project.opinions / identifier / RECORD, record | {"names": _meant(names)})


def remove(project: Project, identifier: str) -> None:
    """Delete an opinion; labels that were given by its help stay.

    Raises
    ------
    InputError
        If there is none.
    ProjectError
        If the disk refuses, or who asks may only look.
    """
    access.check_write(project.root)
    folder = _path(project, identifier).parent
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise not_written(folder, error) from error


def _check_own(name: str) -> None:
    """Raise `SettingInvalid` if a name that an opinion uses is none; it stays as it is written."""
    if not name.strip():
        raise SettingInvalid("The opinion uses an empty name.", "Leave those cells without one.")
    if len(name) > MAX_LABEL_LENGTH:
        raise SettingInvalid(
            f"The name {name[:30]}… of the opinion has {len(name)} characters.",
            f"Use {MAX_LABEL_LENGTH} or fewer.",
        )


def _meant(names: Mapping[str, str]) -> dict[str, str]:
    """Return the types that names mean in their one spelling, as labels are written."""
    return {own: clean_label(here) for own, here in names.items() if here}


def _record(project: Project, identifier: str) -> OpinionRecord:
    record = read_record(_path(project, identifier), OpinionRecord)
    return OpinionRecord(**record)  # type: ignore[typeddict-item]  # read_record checked it


def _path(project: Project, identifier: str) -> Path:
    known = {path.parent.name for path in project.opinions.glob(f"*/{RECORD}")}
    if identifier not in known:
        raise InputError(f"There is no opinion {identifier[:20]!r}.", "Reload the page.")
    return project.opinions / identifier / RECORD
