"""From labels, hold-out, groups and batches to the arrays a model is trained on."""

from dataclasses import dataclass

import numpy as np

from scanvi_core import keys
from scanvi_core.errors import LabelsUnusable
from scanvi_core.project.label_log.state import LabelState
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.quality import flags
from scanvi_core.services.quality.flags import Batches
from scanvi_core.services.workspace import Workspace, batches_of


@dataclass(frozen=True)
class Design:
    """The arrays a run is trained on, in plain numpy.

    Attributes
    ----------
    y
        [n_obs]: -1 no visible label, 0 to K - 1 a type, K + g only known to be in group g.
    label_names, groups, prior
        The K types, and for some of them their group and expected share.
    batch_index, batch_names
        [n_obs] and the names the codes stand for.
    rows
        Cells that take part in training [n_obs]; donors that were set aside do not, nor poor cells
        where the user wants them left out.
    holdout
        Cells whose labels are hidden [n_obs].
    seq
        Number of the last label event that is in them.
    """

    y: np.ndarray
    label_names: tuple[str, ...]
    groups: dict[str, str]
    prior: dict[str, float]
    batch_index: np.ndarray
    batch_names: tuple[str, ...]
    rows: np.ndarray
    holdout: np.ndarray
    seq: int

    @property
    def code_names(self) -> tuple[str, ...]:
        """What each code of `y` means: the K types, then their groups."""
        return self.label_names + group_order(self.label_names, self.groups)


def group_order(names: tuple[str, ...], groups: dict[str, str]) -> tuple[str, ...]:
    """Return the groups as their first type comes; a type without one is a group of its own."""
    return tuple(dict.fromkeys(groups.get(name, name) for name in names))


def design_of(opened: Workspace) -> Design:
    """Return the arrays for the labels as they are now.

    Held-out labels are hidden here, so nothing after this line can see them. Types without a
    visible label, and the verdict "unknown", are not classes of the model. A label that is the
    name of a group, and of no type in it, says only which group a cell is in.
    """
    state, batch_key = opened.labels(), opened.project.settings.get("batch_key")
    how = holdout.NONE
    if state.holdout.any():  # asked of the whole log
        how = opened.kept.get(("how", state.seq), lambda: holdout.how_now(opened))
    key = ("design", state.seq, how, flags.revision(opened, batch_key))
    return opened.kept.get(key, lambda: _design(opened, state, how, batch_key))


def _design(opened: Workspace, state: LabelState, how: str, batch_key: str | None) -> Design:
    visible = np.where(state.holdout, -1, state.codes)
    types, broad = _types_and_groups(state, visible)
    lookup = np.full(len(state.names) + 1, -1, dtype=np.int64)
    lookup[types] = np.arange(len(types))
    names = tuple(state.names[code] for code in types)
    groups = {name: state.groups[name] for name in names if name in state.groups}
    order = group_order(names, groups)
    for code in broad:
        lookup[code] = len(names) + order.index(state.names[code])
    batch_index, batch_names = batches_of(opened, batch_key)
    rows = np.ones(opened.dataset.n_obs, dtype=bool)
    if how == holdout.GROUP:
        rows &= ~state.holdout  # the whole donor leaves
    poor = flags.left_out(opened, Batches(batch_key, batch_index, batch_names))
    if poor is not None:
        rows &= ~poor
    return Design(
        y=np.where(rows, lookup[visible], -1),
        label_names=names,
        groups=groups,
        prior={name: state.prior[name] for name in names if name in state.prior},
        batch_index=batch_index,
        batch_names=batch_names,
        rows=rows,
        holdout=state.holdout,
        seq=state.seq,
    )


def _types_and_groups(state: LabelState, visible: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the codes of the model's types, and those of labels that only name a group."""
    present = [int(code) for code in np.unique(visible[visible >= 0])]
    present = [code for code in present if state.names[code] != keys.UNKNOWN]
    used = {
        state.groups[state.names[code]] for code in present if state.names[code] in state.groups
    }
    broad = [
        code
        for code in present
        if state.names[code] in used and state.names[code] not in state.groups
    ]
    return [code for code in present if code not in broad], broad


def check_labels(opened: Workspace) -> None:
    """Raise `LabelsUnusable` when no model could be trained on the labels."""
    state = opened.labels()
    types, _ = _types_and_groups(state, np.where(state.holdout, -1, state.codes))
    if not types:
        raise LabelsUnusable(
            "No labelled cells.", "Name some cells on the Labels page: at least two types."
        )
    names = [state.names[code] for code in types]
    edit.check_enough(names, "name some cells of another type")
