"""What may happen to labels: one small constructor per kind of event."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanvi_core.errors import SettingInvalid
from scanvi_core.keys import one_line
from scanvi_core.plurals import count
from scanvi_core.project.names import clean_label, clean_term
from scanvi_core.type_tree import check_parents

KINDS = (
    "import", "assign", "accept", "clear", "create", "rename", "merge", "split", "delete",
    "recolour", "terms", "holdout", "groups", "prior", "note", "checkpoint", "combine", "undo",
    "redo",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One entry of the label log.

    Attributes
    ----------
    kind
        One of `KINDS`.
    payload
        Plain JSON: what was asked for and, once stored, what it did (``n_cells`` and others).
    rows
        Positions of the cells it is about; None for events about labels only, and in lists of
        events, which would be too big with them.
    choice
        Per row, position in ``payload["labels"]`` (-1: no label); None: the first for all.
    actor, seq, time
        Who, which entry, and when (UTC, ISO text); filled in by the store.
    undone
        Whether its effect has been taken back.
    origin, proof
        Where it is from and what is known of it; see
        :mod:`scanvi_core.project.label_log.storage.signing`.
    """

    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    rows: NDArray[Any] | None = None
    choice: NDArray[np.int32] | None = None
    actor: str = ""
    seq: int = 0
    time: str = ""
    undone: bool = False
    origin: Mapping[str, Any] = field(default_factory=dict)
    proof: str = ""


def import_labels(names: Sequence[str], codes: ArrayLike, *, key: str = "") -> Event:
    """Set all labels from a column of the file.

    Parameters
    ----------
    names
        Labels; spellings equal after `clean_label` become one.
    codes
        [n_obs], position in `names`, -1 for a cell without a label.
    key
        Name of the column.
    """
    labels, choice = _choice(names, codes)
    return Event("import", {"labels": labels, "key": key}, np.arange(len(choice)), choice)


def assign(
    rows: ArrayLike, label: str, *, reason: str = "", model: str = "", card: str = ""
) -> Event:
    """Label cells by hand; a label not known yet is created.

    `card` is the kind of the card that was answered, where it was one.
    """
    payload = {"labels": [clean_label(label)], **_about(reason, model, card)}
    return Event("assign", payload, _positions(rows))


def accept(
    rows: ArrayLike, labels: str | Sequence[str], *, reason: str = "", model: str = "",
    card: str = "",
) -> Event:  # fmt: skip
    """Take over a model's predictions: one label for all `rows`, or one per row; see `assign`.

    Cells labeled by the file or by hand are left out; the stored payload has their number
    (``left_out``) and their rows (``left_out_rows``, base64 of the compact form).
    """
    about = _about(reason, model, card)
    if isinstance(labels, str):
        return Event("accept", {"labels": [clean_label(labels)], **about}, _positions(rows))
    positions = _positions(rows)
    if len(np.unique(positions)) != len(positions) or len(positions) != len(labels):
        raise SettingInvalid("Accepting needs one label per cell, each cell once.")
    names, codes = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    known, choice = _choice(names.tolist(), codes)
    return Event("accept", {"labels": known, **about}, positions, choice)


def clear(rows: ArrayLike, *, reason: str = "") -> Event:
    """Take the label off cells."""
    return Event("clear", {"reason": reason}, _positions(rows))


def create(label: str, *, color: str = "") -> Event:
    """Add a label that no cell carries yet."""
    return Event("create", {"labels": [clean_label(label)], "colour": color})


def rename(label: str, to: str, *, term: str | None = None) -> Event:
    """Give a label another name, and a term with it; None: it keeps the one it has."""
    payload = {"labels": [clean_label(label)], "to": clean_label(to)}
    return Event("rename", payload if term is None else payload | {"term": clean_term(term)})


def merge(labels: str | Sequence[str], into: str) -> Event:
    """Turn one or several labels into another, which is created when not known yet."""
    names = [labels] if isinstance(labels, str) else labels
    return Event("merge", {"labels": [clean_label(n) for n in names], "to": clean_label(into)})


def split(
    label: str,
    names: Sequence[str],
    rows: ArrayLike,
    codes: ArrayLike,
    *,
    reason: str = "",
    term: str = "",
    below: bool = False,
) -> Event:
    """Divide a label: its cells among `rows` get the names that `codes` point to.

    Cells that carry another label are left out; a label without a cell left is retired, unless
    the parts are to stand `below` it. New labels get the `term`.
    """
    known, choice = _choice(names, codes)
    payload: dict[str, Any] = {"labels": known, "from": clean_label(label), "reason": reason}
    payload |= {"term": clean_term(term)} if term else {}
    payload |= {"below": True} if below else {}
    return Event("split", payload, _positions(rows), choice)


def delete(label: str) -> Event:
    """Remove a label; its cells become unlabeled."""
    return Event("delete", {"labels": [clean_label(label)]})


def recolor(colors: Mapping[str, str]) -> Event:
    """Set the colors of labels; those not named keep theirs."""
    return Event("recolour", {"mapping": {clean_label(k): str(v) for k, v in colors.items()}})


def terms(mapping: Mapping[str, str]) -> Event:
    """Set the terms of the Cell Ontology of labels, ids such as ``CL:0000084``.

    Those not named keep theirs; '' takes one off, ``unknown`` says that none fits.
    """
    return Event("terms", {"mapping": {clean_label(k): clean_term(v) for k, v in mapping.items()}})


def holdout(rows: ArrayLike, *, how: str = "", seed: int = 0) -> Event:
    """Set cells aside for an honest score; replaces the previous hold-out."""
    return Event("holdout", {"how": how, "seed": int(seed)}, _positions(rows))


def parents(mapping: Mapping[str, Sequence[str]]) -> Event:
    """Replace what labels stand under: label name -> the broader types right above.

    A name that is no label yet, and stands under another, becomes one that no cell carries.

    Raises
    ------
    SettingInvalid
        If a label would stand under itself.
    """
    cleaned = {
        clean_label(name): tuple(dict.fromkeys(map(clean_label, above)))
        for name, above in mapping.items()
    }
    cleaned = {name: above for name, above in cleaned.items() if above not in ((), (name,))}
    check_parents(cleaned)
    plain = {name: above[0] if len(above) == 1 else list(above) for name, above in cleaned.items()}
    return Event("groups", {"mapping": plain})


def prior(mapping: Mapping[str, float]) -> Event:
    """Replace the expected shares: label name -> number above 0 (need not add up to 1)."""
    shares = {clean_label(name): float(share) for name, share in mapping.items()}
    for name, share in shares.items():
        if not 0 < share < float("inf"):
            raise SettingInvalid(f"The share of {name} is {share}.", "Use a number above 0.")
    return Event("prior", {"mapping": shares})


def note(text: str) -> Event:
    """Write down a remark; changes no label."""
    return Event("note", {"text": unicodedata.normalize("NFC", text).strip()})


def checkpoint(name: str) -> Event:
    """Give this moment a name, to come back to; changes no label."""
    return Event("checkpoint", {"name": clean_label(name)})


def describe(event: Event) -> str:
    """Return what an event does in one line, for example ``assign T cell to 120 cells``."""
    return one_line(_described(event))


def _described(event: Event) -> str:
    payload = event.payload
    labels = payload.get("labels", [])
    what = labels[0] if len(labels) == 1 else f"{len(labels)} labels"
    n = payload.get("n_cells", 0 if event.rows is None else len(event.rows))
    cells = count(n, "cell")
    sentences = {
        "import": f"import {what} from {payload.get('key') or 'the file'}"
        if labels
        else "start without labels",
        "assign": f"assign {what} to {cells}",
        "accept": f"accept {what} for {cells}",
        "clear": f"take the label off {cells}",
        "create": f"add the label {what}",
        "rename": f"rename {what} to {payload.get('to')}",
        "merge": f"merge {', '.join(labels)} into {payload.get('to')} ({cells})",
        "split": f"split {payload.get('from')} into {', '.join(labels)} ({cells})",
        "delete": f"delete {what} ({cells})",
        "recolour": f"recolor {', '.join(payload.get('mapping', {}))}",
        "terms": f"set the ontology term of {_some(payload.get('mapping', {}))}",
        "holdout": f"set {cells} aside",
        "groups": "change which types are part of which",
        "prior": "change the expected shares",
        "note": f"note: {payload.get('text')}",
        "checkpoint": f"checkpoint: {payload.get('name')}",
        "combine": f"take over the work of {payload.get('with')} ({cells})",
    }
    if event.kind in ("undo", "redo"):
        return f"{event.kind} step {payload.get('step')}: {payload.get('what')}"
    return sentences[event.kind]


def _some(names: Mapping[str, Any]) -> str:
    return next(iter(names)) if len(names) == 1 else f"{len(names)} labels"


def _about(reason: str, model: str, card: str) -> dict[str, str]:
    return {"reason": reason, "model": model} | ({"card": card} if card else {})


def _positions(rows: ArrayLike) -> NDArray[Any]:
    """Return row positions, also from a mask over all cells."""
    array = np.asarray(rows)
    return np.flatnonzero(array) if array.dtype == np.bool_ else array


def _choice(names: Sequence[str], codes: ArrayLike) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct clean names, and the codes pointing into them."""
    given = np.asarray(codes)
    if given.size and (given.min() < -1 or given.max() >= len(names)):
        raise SettingInvalid(f"A label code is not between -1 and {len(names) - 1}.")
    cleaned = [clean_label(name) for name in names]
    labels = list(dict.fromkeys(cleaned))
    position = {label: i for i, label in enumerate(labels)}
    table = np.array([*(position[name] for name in cleaned), -1], dtype=np.int32)
    return labels, table[given]
