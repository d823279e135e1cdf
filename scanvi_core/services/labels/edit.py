"""What is known about the cells: label columns, names given by hand, groups, prior, undo."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from scanvi_core import config, keys
from scanvi_core.data.anndata_files import cell_type_names
from scanvi_core.errors import ColumnMissing, LabelsUnusable, ProjectError, SettingInvalid
from scanvi_core.project import names as project_names
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.events import Event
from scanvi_core.project.label_log.replay.state import LabelState
from scanvi_core.services.labels import holdout, pack_types, type_terms
from scanvi_core.services.projects.data_report import columns_with
from scanvi_core.services.projects.joining import grown
from scanvi_core.services.workspace import Workspace

OTHER_VALUES = 200  # most of a column that is no usual one, such as a number per cell
WHOLE_FLOATS = 2.0**53
SHOWN_VALUES = 30
BY_HAND = "named by hand"  # in place of a column
FEW_TYPES = 20  # so many types may have one cell each


def label_columns(opened: Workspace) -> tuple[list[str], list[str]]:
    """Return the obs columns that look like cell types, best first, and the others."""

    def part() -> tuple[list[str], list[str]]:
        every = columns_with(opened, opened.dataset.manifest["labels_candidates"], 1, OTHER_VALUES)
        types = [name for name in every if _looks_like_types(opened, name)]
        types.sort(key=lambda name: name.endswith("_ontology_term_id"))  # names before codes
        return types, [name for name in every if name not in types]

    return opened.cache.get(("label columns",), part)


def _looks_like_types(opened: Workspace, name: str) -> bool:
    return cell_type_names.column_holds_types(name, opened.categories(name)[1])


def column_values(opened: Workspace, key: str) -> pd.DataFrame:
    """Return the values of an obs column with their number of cells.

    Returns
    -------
    pandas.DataFrame
        Columns ``value``, ``cells`` and ``unlabeled`` (the word usually means "no label").
    """
    counts = _column(opened, key).value_counts()
    return pd.DataFrame(
        {
            "value": counts.index.astype(str),
            "cells": counts.to_numpy(),
            "unlabeled": [keys.looks_unlabeled(str(value)) for value in counts.index],
        }
    )


def use_column(
    opened: Workspace, key: str, unlabeled: set[str], meant: Mapping[str, str] | None = None
) -> LabelState:
    """Take the labels of an obs column and set the default hold-out aside.

    Missing values and those in `unlabeled` become unlabeled cells; a value in `meant` becomes the
    type it means, as where a reference has names of its own.

    Raises
    ------
    LabelsUnusable
        If no labeled cell or only one type would remain, or the column names single cells.
    SettingInvalid
        If one of `unlabeled` is the value of no cell.
    """
    values = _column(opened, key)
    unlabeled = _values_meant(values, unlabeled, key)
    labels = values.where(~values.isin(unlabeled) & (values.str.strip() != ""))
    labels = labels.replace(dict(meant or {}))
    codes, categories = pd.factorize(labels, sort=True)
    names = [str(name) for name in categories]
    check_types(codes, names, key)
    opened.store.append(events.import_labels(names, codes.astype(np.int32), key=key))
    pack_types.add_again(opened)
    opened.project.update_settings(labels_key=key, unlabeled=sorted(unlabeled))
    holdout.set_aside(opened, holdout.HoldoutRequest())
    return opened.labels()


def start_empty(opened: Workspace) -> None:
    """Begin without labels: cells are named by lasso, cluster or marker rule."""
    none = np.full(opened.dataset.n_obs, -1, dtype=np.int32)
    opened.store.append(events.import_labels([], none))
    pack_types.add_again(opened)
    if opened.labels().holdout.any():  # else cells named from now on would be hidden
        holdout.set_aside(opened, holdout.HoldoutRequest(holdout.NONE))
    opened.project.update_settings(labels_key=BY_HAND, unlabeled=[])


def is_by_hand(opened: Workspace) -> bool:
    """Tell whether the labels were begun empty, to be given by hand."""
    return bool(opened.project.settings.get("labels_key") == BY_HAND)


def name_cells(
    opened: Workspace, rows: np.ndarray, label: str, reason: str, seen: int | None = None
) -> LabelState:
    """Give cells a label by hand.

    Parameters
    ----------
    reason
        How they were picked.
    seen
        The last step (`LabelState.seq`) the user was shown; None: whatever came since is replaced.

    Raises
    ------
    StaleEdit
        If somebody changed the same cells since `seen`; both versions are in it.
    """
    model = opened.project.settings.get("current_run") or ""
    opened.store.append(events.assign(rows, label, reason=reason, model=model), seen)
    return opened.labels()


def clear_cells(opened: Workspace, rows: np.ndarray, reason: str, seen: int | None = None) -> None:
    """Take the labels off cells; see `name_cells`."""
    opened.store.append(events.clear(rows, reason=reason), seen)


def add_type(opened: Workspace, label: str) -> None:
    """Add a type that no cell has yet."""
    opened.store.append(events.create(label))


def delete_type(opened: Workspace, label: str) -> None:
    """Remove a type; its cells lose their label."""
    opened.store.append(events.delete(label))


def recolor(opened: Workspace, label: str, color: str) -> None:
    """Give a type a color of its own, such as ``#4477aa``."""
    opened.store.append(events.recolor({label: color}))


def split_below(opened: Workspace, label: str, parts: Mapping[str, np.ndarray]) -> None:
    """Give parts of a type names of their own that stand below it; cells in no part keep its name.

    Raises
    ------
    SettingInvalid
        If no part has a name.
    """
    names = [name for name, rows in parts.items() if name.strip() and len(rows)]
    if not names:
        raise SettingInvalid("No part has a name.", "Type a name for one part at least.")
    rows = np.concatenate([parts[name] for name in names])
    codes = np.repeat(np.arange(len(names)), [len(parts[name]) for name in names])
    seq = opened.labels().seq
    opened.store.append(events.split(label, names, rows, codes, reason="parts", below=True), seq)


def rename(opened: Workspace, label: str, to: str) -> None:
    """Rename a type, which keeps its term; when the new name exists already, both are merged."""
    label, to = project_names.clean_label(label), project_names.clean_label(to)
    others = {project_names.clean_label(name) for name in opened.labels().active} - {label}
    if to in others:
        opened.store.append(events.merge(label, to))
        return
    opened.store.append(events.rename(label, to, term=type_terms.after_rename(opened, label, to)))


def set_parents(opened: Workspace, parents: Mapping[str, Sequence[str]]) -> None:
    """Say which types are part of which broader ones; an empty mapping takes all of that back.

    A broader type that is part of another becomes a type here, too, without cells.

    Raises
    ------
    SettingInvalid
        If one is no type here, or would be part of itself.
    """
    broader = {name for above in parents.values() for name in above}
    _check_known(opened, set(parents) - broader)
    opened.store.append(events.parents(parents))


def set_prior(opened: Workspace, prior: Mapping[str, float]) -> None:
    """Say how common each type is expected to be; an empty mapping means equally common.

    Raises
    ------
    SettingInvalid
        If one is no type here.
    """
    _check_known(opened, prior)
    opened.store.append(events.prior(prior))


def _check_known(opened: Workspace, names: Iterable[str]) -> None:
    active = opened.labels().active
    known = {project_names.clean_label(name) for name in active}
    strange = [name for name in names if project_names.clean_label(name) not in known]
    if strange:
        shown = ", ".join(active[:SHOWN_VALUES])
        raise SettingInvalid(f"There is no type {strange[0]}.", f"The types are: {shown}.")


def undoable(opened: Workspace) -> Event | None:
    """Return the step that `undo` takes back; none of those made before files were added."""
    return _made_here(opened, opened.store.undoable())


def redoable(opened: Workspace) -> Event | None:
    """Return the step that `redo` brings back; none of those undone before files were added."""
    return _made_here(opened, opened.store.redoable())


def undo(opened: Workspace) -> None:
    """Take the last change back.

    Raises
    ------
    ProjectError
        If nothing was done here.
    """
    if undoable(opened) is None and opened.store.undoable() is not None:
        raise ProjectError(
            "Nothing was done since the files were added.",
            "On History, each earlier step can be taken back.",
        )
    opened.store.undo()


def redo(opened: Workspace) -> None:
    """Bring back what was undone."""
    opened.store.redo()


def _made_here(opened: Workspace, event: Event | None) -> Event | None:
    return event if event is not None and event.seq > grown.n_steps_brought(opened) else None


def read_only(opened: Workspace) -> str:
    """Return why nothing can be saved in a project; empty where saving is possible."""
    return opened.store.read_only


def _column(opened: Workspace, key: str) -> pd.Series:
    obs = opened.dataset.obs
    if key not in obs:
        known = ", ".join(map(str, obs.columns[:12]))
        raise ColumnMissing(f"There is no column {key} in obs.", f"The columns are: {known}.")
    return as_labels(obs[key])


def as_labels(column: pd.Series) -> pd.Series:
    """Return a column as text; a whole number is called "-1", "0" or "1" whatever its type."""
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.categories.dtype.kind in "iuf":
        column = column.astype(np.float64)
    if column.dtype.kind != "f":
        return column.astype("string")
    known = column.dropna()
    whole = (known == known.round()).all() and (known.abs() < WHOLE_FLOATS).all()
    return column.astype("Int64").astype("string") if whole else column.astype("string")


def _values_meant(values: pd.Series, unlabeled: set[str], key: str) -> set[str]:
    """Return the values that were named as "unlabeled"; a number may be written as 0 or 0.0.

    Raises
    ------
    SettingInvalid
        If a name is that of no value.
    """
    there = set(values.dropna())
    meant = {name: name if name in there else _number(name) for name in unlabeled}
    strange = sorted(name for name, value in meant.items() if value not in there)
    if strange:
        shown = ", ".join(map(repr, values.value_counts().index[:SHOWN_VALUES]))
        raise SettingInvalid(
            f"No cell has the value {strange[0]!r} in the column {key}.",
            f"Its values are: {shown}{', ...' if len(there) > SHOWN_VALUES else ''}.",
        )
    return set(meant.values())


def _number(text: str) -> str:
    """Return a whole number as it is called here; any other text as it is."""
    try:
        value = float(text)
    except ValueError:
        return text
    return str(int(value)) if value.is_integer() else text


def check_types(codes: np.ndarray, names: list[str], key: str) -> None:
    """Refuse a column that cannot hold cell types: no label, or nearly one for every cell.

    Raises
    ------
    LabelsUnusable
        If it has no labeled cells, or too many different values.
    """
    if not names:
        raise LabelsUnusable(
            f"The column {key} has no labeled cells.", "Choose another column or start empty."
        )
    n_labeled = int((codes >= 0).sum())
    if len(names) > min(config.MAX_TYPES, max(FEW_TYPES, n_labeled // 2)):
        raise LabelsUnusable(
            f"The column {key} has {len(names):,} different values for {n_labeled:,} cells.",
            "This looks like a list of barcodes; choose the column with cell types.",
        )
    check_enough(names, "choose another column, or start empty")


def check_enough(types: Sequence[str], advice: str) -> None:
    """Refuse a single type, which is nothing to tell apart.

    Raises
    ------
    LabelsUnusable
        If there is one.
    """
    if len(types) < config.MIN_LABELS:
        raise LabelsUnusable(
            f"Only one label has cells ({types[0]}).",
            f"SCANVI needs at least two types: {advice}.",
        )
