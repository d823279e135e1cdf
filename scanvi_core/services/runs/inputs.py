"""From labels, hold-out, broader types and batches to what a model is trained on."""

import numpy as np

from scanvi_core import keys
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.errors import LabelsUnusable
from scanvi_core.project.label_log.replay.state import LabelState
from scanvi_core.project.runs import Run
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.pack_types import PACK_RUN
from scanvi_core.services.quality import flags
from scanvi_core.services.workspace import Workspace
from scanvi_core.type_tree import Parents, TypeTree, leaves_among


def inputs_of(opened: Workspace) -> Inputs:
    """Return what a model would be trained on with the labels as they are now, counts aside.

    Held-out labels are hidden here, so nothing after this line can see them. Types without a
    visible label, but for those of a pack that the project began from, and the verdict "unknown"
    are not classes of the model. A label under which two or more of the types stand says only
    that a cell is one of them.
    """
    state, batch_key = opened.labels(), opened.batch_key
    kept = kept_types(opened, state)
    how = holdout.NONE
    if state.holdout.any():  # asked of the whole log
        how = opened.cache.get(("how", state.seq), lambda: holdout.how_now(opened))
    key = ("inputs", state.seq, how, flags.revision(opened, batch_key), kept)
    return opened.cache.get(key, lambda: _inputs(opened, state, how, batch_key, kept))


def kept_types(opened: Workspace, state: LabelState) -> tuple[int, ...]:
    """Return the codes of the types that a project has from its pack, whether cells have them.

    A type that was renamed is still the same; one that was deleted or merged away is gone.
    """
    run_id = opened.project.settings.get(PACK_RUN)
    if run_id is None:
        return ()

    def read() -> tuple[frozenset[int], frozenset[str]]:
        settings = Run.open(opened.project, run_id).settings
        then, names = opened.store.labels(settings.labels_seq), frozenset(settings.label_names)
        own = zip(then.active, then.active_codes, strict=True)
        return frozenset(code for name, code in own if name in names), names

    codes, names = opened.cache.get(("types of pack", run_id), read)
    active = zip(state.active, state.active_codes, strict=True)
    return tuple(code for name, code in active if code in codes or name in names)


def _inputs(
    opened: Workspace,
    state: LabelState,
    how: str,
    batch_key: str | None,
    kept: tuple[int, ...],
) -> Inputs:
    visible = np.where(state.holdout, -1, state.codes)
    types, broad = _types_and_broader(state, visible, kept)
    lookup = np.full(len(state.names) + 1, -1, dtype=np.int64)
    lookup[types] = np.arange(len(types))
    names = tuple(state.names[code] for code in types)
    parents = _above(names, state.parents)
    nodes = TypeTree(names, parents).nodes
    for code in broad:
        lookup[code] = len(names) + nodes.index(state.names[code])
    batches = opened.batches(batch_key)
    rows = np.ones(opened.dataset.n_obs, dtype=bool)
    if how == holdout.GROUP:
        rows &= ~state.holdout  # the whole donor leaves
    poor = flags.left_out(opened, batches)
    if poor is not None:
        rows &= ~poor
    return Inputs(
        counts=None,
        genes=(),
        y=np.where(rows, lookup[visible], -1),
        label_names=names,
        parents=parents,
        prior={name: state.prior[name] for name in names if name in state.prior},
        batch_index=batches.index,
        batch_names=batches.names,
        rows=rows,
        holdout=state.holdout,
        seq=state.seq,
    )


def _above(names: tuple[str, ...], parents: Parents) -> dict[str, tuple[str, ...]]:
    """Return the parents of some types and of all that is above them."""
    tree = TypeTree(names, parents)
    known = {each for name in names for each in tree.above(name)}
    return {name: above for name, above in parents.items() if name in known}


def _types_and_broader(
    state: LabelState, visible: np.ndarray, kept: tuple[int, ...] = ()
) -> tuple[list[int], list[int]]:
    """Return the codes of the model's types, and of labels that leave several of them open."""
    present = sorted({int(code) for code in np.unique(visible[visible >= 0])} | set(kept))
    present = [code for code in present if state.names[code] != keys.UNKNOWN]
    leaves = leaves_among([state.names[code] for code in present], state.parents)
    types = [code for code in present if state.names[code] in leaves]
    return types, [code for code in present if code not in types]


def check_labels(opened: Workspace) -> None:
    """Raise `LabelsUnusable` when no model could be trained on the labels."""
    state = opened.labels()
    types, _ = _types_and_broader(state, np.where(state.holdout, -1, state.codes))
    if not types:
        raise LabelsUnusable(
            "No labeled cells.", "Name some cells on the Labels page: at least two types."
        )
    names = [state.names[code] for code in {*types, *kept_types(opened, state)}]
    edit.check_enough(names, "name some cells of another type")
