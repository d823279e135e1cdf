"""Which answer a card proposes: one that something clearly speaks for, and nothing against.

Three things speak: the model, by how far its calibrated probabilities lie apart; genes and labeled
cells nearby (`Evidence`); and what opinions of other tools say together. Opinions alone propose
nothing, but they speak against. Where nothing is clearly ahead the card is undecided. Of novel
cells the model knows nothing, however sure it is: another name is proposed, unless genes and
neighbors clearly speak for a type.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scanvi_core.annotation.review.asked import NOVEL
from scanvi_core.annotation.uncertainty.reasons import Reason
from scanvi_core.services.opinions import proposals
from scanvi_core.services.review.evidence import Evidence
from scanvi_core.services.review.queue import Candidate, ReviewItem
from scanvi_core.services.workspace import Workspace

CLEAR_LEAD = 1 / 3  # of the likeliest type over the next: two to one, were there no others
NAME, UNKNOWN = "\0name", "\0unknown"  # answers that are no type's name


@dataclass(frozen=True)
class Proposal:
    """What a card proposes.

    Attributes
    ----------
    answer
        `NAME`, `UNKNOWN` or a type; empty where nothing is clearly ahead.
    between
        The two answers an undecided card is undecided between, types or, as the second, `NAME`;
        of two types the model's first one comes first.
    another
        What opinions say together where no candidate is that; else empty.
    """

    answer: str
    between: tuple[str, ...] = ()
    another: str = ""


def of(opened: Workspace, item: ReviewItem, shown: Evidence) -> Proposal:
    """Return what a card of a model proposes."""
    names = [candidate.name for candidate in item.candidates]
    said, _ = next(iter(proposals.proposed(opened, item.rows)), ("", 0.0))
    another = said if said not in names else ""
    if is_novel(item) and shown.favors in names:
        return Proposal("", (shown.favors, NAME), another)
    if is_novel(item):
        return Proposal(NAME, another=another)
    if item.kind == Reason.TECHNICAL.label:
        return Proposal(UNKNOWN, another=another)
    return weighed(item.candidates, shown, said)


def is_novel(item: ReviewItem) -> bool:
    """Tell whether a card is asked because its cells are unlike every labeled one."""
    by_cluster = item.asked is not None and item.asked.why == NOVEL
    return item.kind == Reason.NOVEL.label or by_cluster


def weighed(candidates: Sequence[Candidate], shown: Evidence, said: str = "") -> Proposal:
    """Weigh the model, genes and neighbors, and what opinions have `said` (empty: nothing)."""
    names = [candidate.name for candidate in candidates]
    another = said if said not in names else ""
    by_model = names[0] if _lead(candidates) >= CLEAR_LEAD else ""
    favors, leans = (name if name in names else "" for name in (shown.favors, shown.leans))
    ahead = favors or by_model
    others = [name for name in (by_model, leans, said) if name and name != ahead]
    if ahead and not others:
        return Proposal(ahead, another=another)
    one = ahead or names[0]
    rival = next((name for name in (*others, *names) if name != one), "")
    if not rival:  # there is no other type
        return Proposal(one, another=another)
    pair = (rival, one) if rival == names[0] else (one, rival)
    return Proposal("", pair, another)


def _lead(candidates: Sequence[Candidate]) -> float:
    first, second = (*(candidate.probability for candidate in candidates), 0.0)[:2]
    return first - second
