"""What all opinions together propose for cells that nobody has named yet."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core.services.opinions import candidates
from scanvi_core.services.opinions.candidates import Offer
from scanvi_core.services.opinions.evidence import judged_by, known
from scanvi_core.services.opinions.from_columns import types_here
from scanvi_core.services.opinions.kept import kept, meant, revision
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from scanvi_core.annotation.opinions.annotators import Joint

MOST_TYPES = 100  # beyond these the common word of all opinions takes too long to find
TOGETHER = "All opinions together"
CLEAR = 0.5  # the mean probability from which a type is offered


@dataclass(frozen=True)
class Together:
    """Types, what opinions say of them together, and the cells of which any of them speaks."""

    names: tuple[str, ...]
    joint: "Joint"
    spoken: np.ndarray


def together(opened: Workspace) -> Together | None:
    """Return what all opinions say together by now; None without any that means a type here.

    None, too, with more than `MOST_TYPES` types.
    """
    some = any(one.names for one in kept(opened))
    if not some or len(types_here(opened)) > MOST_TYPES:
        return None
    key = ("opinions together", revision(opened), opened.labels().seq)
    return opened.cache.get(key, lambda: _together(opened))


def proposed(opened: Workspace, rows: np.ndarray) -> tuple[tuple[str, float], ...]:
    """Return the types that all opinions clearly say some cells are, with mean probabilities.

    What no single opinion offers for these cells is left out, however likely it is by all.
    """
    (own,) = candidates.of_groups(opened, [rows])
    return _clear(together(opened) if own else None, rows, {offer.name for offer in own})


def of_groups(opened: Workspace, groups: Sequence[np.ndarray]) -> list[tuple[Offer, ...]]:
    """Return what opinions offer for each group of cells: of several, first what all say."""
    offers = candidates.of_groups(opened, groups)
    if len(kept(opened)) < 2:
        return offers
    found, answers = together(opened), []
    for rows, own in zip(groups, offers, strict=True):
        clear = _clear(found, rows, {offer.name for offer in own})
        answers.append((*(Offer(name, share, TOGETHER) for name, share in clear), *own))
    return answers


def another(opened: Workspace, rows: np.ndarray, besides: Collection[str]) -> str:
    """Return the type that all opinions clearly propose for some cells, where a model does not."""
    name, _ = next(iter(proposed(opened, rows)), ("", 0.0))
    return name if name not in besides else ""


def _clear(
    found: Together | None, rows: np.ndarray, offered: Collection[str]
) -> tuple[tuple[str, float], ...]:
    """Return the types among those offered that all opinions clearly say some cells are."""
    if found is None or not offered:
        return ()
    rows = rows[found.spoken[rows]]
    if not rows.size:
        return ()
    mean = found.joint.of(rows).mean(axis=0)
    best = np.argsort(-mean, kind="stable")
    best = best[mean[best] >= CLEAR]
    names = [(found.names[code], float(mean[code])) for code in best]
    return tuple((name, share) for name, share in names if name in offered)


def _together(opened: Workspace) -> Together:
    from scanvi_core.annotation.opinions.annotators import joint

    labels, names = known(opened), types_here(opened)
    truth = labels.as_codes_of(names)
    said = list[np.ndarray]()
    for one in kept(opened):
        unjudged = (truth >= 0) & ~judged_by(opened, one, labels)
        said.append(np.where(unjudged, -1, meant(one, names)))
    words = np.column_stack(said).astype(np.int16)
    found = joint(words, len(names), truth, labels.weight)
    return Together(names, found, np.asarray((words >= 0).any(axis=1)))
