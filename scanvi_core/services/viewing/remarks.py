"""Comments on types and groups of cells, proposed names and votes; they change no label.

Whoever may see a project may say something of it. Who signed in does so under that name; a name
that was only typed is marked as such.
"""

import base64
import binascii

import numpy as np
import pandas as pd

from scanvi_core import config, keys
from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.plurals import count
from scanvi_core.project import access, remarks
from scanvi_core.project.folder import Project, open_project
from scanvi_core.project.label_log.replay.row_sets import pack_rows, unpack_rows
from scanvi_core.project.names import MAX_LABEL_LENGTH, clean_label
from scanvi_core.project.remarks import (
    CELLS,
    CLUSTER,
    GROUP,
    TYPE,
    WHOLE,
    Remark,
    Remarks,
    Subject,
)
from scanvi_core.services import request_limits
from scanvi_core.services.explore import maps, picked_cells
from scanvi_core.services.explore.rules import Selection
from scanvi_core.services.labels import edit, type_table
from scanvi_core.services.projects import users
from scanvi_core.services.viewing import types_seen
from scanvi_core.services.workspace import Workspace

__all__ = ["ALL_CELLS", "CELLS", "CLUSTER", "GROUP", "TYPE", "Remark", "Remarks", "Subject",
           "cells_of", "comment", "mark_done", "own_vote", "picked", "propose", "said", "subjects",
           "take_name", "types_with_remarks", "vote", "way_to_take"]  # fmt: skip
ALL_CELLS = Subject(WHOLE, "the whole data set")
FOR, AGAINST, NEITHER = 1, -1, 0
NAME_LENGTH = MAX_LABEL_LENGTH


def said(opened: Workspace) -> Remarks:
    """Return all that was said of a project, the newest first."""
    return remarks.read(open_project(opened.id).root)


def subjects(opened: Workspace) -> list[Subject]:
    """Return what can be spoken of: the types, groups of them, and clusters."""
    broader = sorted({name for above in opened.labels().parents.values() for name in above})
    clusters = maps.clusters_of(opened)
    n = 0 if clusters is None else int(clusters.max(initial=-1)) + 1
    return [
        *(Subject(TYPE, str(name)) for name in types_seen.types(opened)["type"]),
        *(Subject(GROUP, name) for name in broader),
        *(Subject(CLUSTER, f"cluster {i + 1}") for i in range(n)),
    ]


def picked(opened: Workspace, cells: Selection) -> Subject:
    """Return picked cells as what is spoken of.

    Raises
    ------
    SettingInvalid
        If none are picked, or they are too many and too scattered to be kept.
    """
    if not cells.n:
        raise SettingInvalid("No cells are picked.", "Draw around some on the map.")
    packed = pack_rows(np.flatnonzero(cells.mask), opened.dataset.n_obs)
    text = base64.b64encode(packed).decode()
    if len(text) > remarks.CELLS_BYTES:
        raise SettingInvalid(
            f"{cells.n:,} scattered cells are too many for one comment.", "Pick fewer."
        )
    labels = keys.one_line(picked_cells.about(opened, cells).labels)
    return Subject(CELLS, f"{count(cells.n, 'cell')}: {labels}"[:NAME_LENGTH], text)


def cells_of(opened: Workspace, subject: Subject) -> np.ndarray | None:
    """Return the mask [n_obs] of the cells a comment is about; None where they are none of these.

    Types, groups and clusters are shown by their name.
    """
    if not subject.cells:
        return None
    try:
        rows = unpack_rows(base64.b64decode(subject.cells, validate=True), opened.dataset.n_obs)
    except (binascii.Error, ProjectError):  # written by hand, or of other cells: nothing to show
        return None
    mask = np.zeros(opened.dataset.n_obs, dtype=bool)
    mask[rows] = True
    return mask


def comment(opened: Workspace, subject: Subject, text: str, name: str = "") -> None:
    """Say something about a type or a group of cells.

    Parameters
    ----------
    name
        Who says it, where nobody signs in; empty: unsigned.

    Raises
    ------
    SettingInvalid
        If there is no such subject or no text, or text or name are too long.
    ProjectError
        If too much was said, or the disk refuses.
    """
    text = keys.one_line(text)
    if not text:
        raise SettingInvalid("The comment is empty.", "Write something.")
    if len(text) > config.COMMENT_LENGTH:
        raise SettingInvalid(
            f"The comment has {len(text):,} characters.",
            f"Use {config.COMMENT_LENGTH:,} or fewer.",
        )
    _say(opened, remarks.COMMENT, name, **_about(opened, subject), text=text)


def propose(opened: Workspace, subject: Subject, label: str, name: str = "") -> None:
    """Propose a name for a type or a group of cells; raises as `comment` does."""
    if subject == ALL_CELLS:
        raise SettingInvalid("A name is for a part of the cells.", "Choose what it is for.")
    _say(opened, remarks.PROPOSAL, name, **_about(opened, subject), text=clean_label(label))


def vote(opened: Workspace, remark_id: str, value: int, name: str = "") -> None:
    """Vote for (1) or against (-1) a proposed name, or take the vote back (0).

    Each person has one vote, the last one they gave.

    Raises
    ------
    SettingInvalid
        If there is no such proposal or vote, or no name.
    """
    seen = said(opened).find(remark_id)
    if seen is None or not seen.is_proposal or value not in (FOR, AGAINST, NEITHER):
        raise SettingInvalid("There is no such vote.", "Reload the page.")
    if not _speaker(name)[0]:
        raise SettingInvalid("A vote needs a name: each has one.", "Write your name first.")
    if own_vote(seen, name) != value:
        _say(opened, remarks.VOTE, name, on=remark_id, value=value)


def own_vote(remark: Remark, name: str = "") -> int:
    """Return how who asks voted: 1, -1 or 0."""
    by, signed_in = _speaker(name)
    return remark.votes.get(remarks.voter(by, signed_in), NEITHER)


def mark_done(opened: Workspace, remark_id: str, *, done: bool = True) -> None:
    """Mark what was said as done, or not; for those who may change the project.

    Raises
    ------
    ReadOnly
        If who asks may only look.
    """
    project = open_project(opened.id, to_change=True)
    if said(opened).find(remark_id) is None:
        raise SettingInvalid("There is no such comment.", "Reload the page.")
    by, signed_in = _speaker("")
    remarks.add(
        project.root, remarks.DONE, by or users.account() or "owner", signed_in=signed_in,
        on=remark_id, value=int(done),
    )  # fmt: skip


def types_with_remarks(opened: Workspace) -> pd.DataFrame:
    """Return the table of types; with a column ``remarks`` where colleagues said something of one.

    It counts what is not done.
    """
    table, about = type_table.label_table(opened), said(opened).open_about(TYPE)
    if not about:
        return table
    n = pd.Series([item.subject.name for item in about]).value_counts()
    table = table.copy()
    table.insert(1, "remarks", table["type"].map(n).astype("Int64"))
    return table


def way_to_take(opened: Workspace, item: Remark) -> str:
    """Return ``rename`` or ``merge``, as a proposed name would change the labels; else empty."""
    active, name = opened.labels().active, item.subject.name
    if item.done or not item.is_proposal or item.subject.kind != TYPE or name not in active:
        return ""
    return "" if item.text == name else "merge" if item.text in active else "rename"


def take_name(opened: Workspace, remark_id: str) -> None:
    """Give a type the name that was proposed for it, as one step of the labels; that is done then.

    Raises
    ------
    SettingInvalid
        If nobody proposed that, or there is no such type any more.
    ProjectError
        If who asks may only look, or the disk refuses.
    """
    item = said(opened).find(remark_id)
    if item is None or not way_to_take(opened, item):
        raise SettingInvalid("There is no such type any more.", "Reload the page.")
    edit.rename(opened, item.subject.name, item.text)
    mark_done(opened, remark_id)


def _say(opened: Workspace, what: str, name: str, **more: object) -> None:
    project: Project = open_project(opened.id)
    by, signed_in = _speaker(name)
    request_limits.take(request_limits.REMARK, f"remarks on {opened.id}")
    remarks.add(project.root, what, by, signed_in=signed_in, **more)


def _speaker(name: str) -> tuple[str, bool]:
    """Return who speaks, and whether a sign-in proves it."""
    person = access.asking()
    if person is not None and person.name:
        return clean_label(person.name), True
    given = users.clean(name)
    if len(given) > config.VISITOR_NAME_LENGTH:
        raise SettingInvalid(
            f"Your name has {len(given)} characters.",
            f"Use {config.VISITOR_NAME_LENGTH} or fewer.",
        )
    return given, False


def _about(opened: Workspace, subject: Subject) -> dict[str, str]:
    known = (ALL_CELLS, *subjects(opened))
    if subject.kind != CELLS and subject not in known:
        raise SettingInvalid(f"There is no {subject.name[:80]} here.", "Reload the page.")
    if subject.kind == CELLS and cells_of(opened, subject) is None:
        raise SettingInvalid("These are no cells of this project.", "Pick them again.")
    return {"kind": subject.kind, "about": subject.name, "cells": subject.cells}
