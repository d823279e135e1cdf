"""Which answer a card proposes: one that something clearly speaks for, and nothing against.

Three things speak: the model, by how far its calibrated probabilities lie apart; genes and labeled
cells nearby (`Evidence`); and what opinions of other tools say together. Opinions alone propose
nothing, but they speak against. Where nothing is clearly ahead the card is undecided: then a
broader type is proposed that is sure, if all it is undecided between are types of it. Of novel
cells the model knows nothing, however sure it is: another name is proposed, unless genes and
neighbors clearly speak for a type.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanvi_core.annotation.review.asked import NOVEL
from scanvi_core.annotation.uncertainty.reasons import Reason
from scanvi_core.services.opinions import proposals
from scanvi_core.services.review import queue
from scanvi_core.services.review.evidence import Evidence
from scanvi_core.services.review.queue import Candidate, ReviewItem
from scanvi_core.services.workspace import Workspace

CLEAR_TIMES, CLEAR_FROM = 2.0, 0.4  # as likely as the next, and at least so likely
NOTHING = "nothing is clearly ahead"
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
    sides
        What speaks for whom, where it is undecided.
    broad
        The broader type that is sure, where none of its types is; offered whatever is proposed.
    """

    answer: str
    between: tuple[str, ...] = ()
    another: str = ""
    sides: str = NOTHING
    broad: Candidate | None = None


def of(opened: Workspace, item: ReviewItem, shown: Evidence) -> Proposal:
    """Return what a card of a model proposes."""
    broad = queue.broad(opened, item)
    return replace(_at_least(opened, _of(opened, item, shown), broad), broad=broad)


def _of(opened: Workspace, item: ReviewItem, shown: Evidence) -> Proposal:
    names = [candidate.name for candidate in item.candidates]
    said, _ = next(iter(proposals.proposed(opened, item.rows)), ("", 0.0))
    another = said if said not in names else ""
    if is_novel(item) and shown.favors in names:
        return Proposal("", (shown.favors, NAME), another, _unlike(item.candidates, shown.favors))
    if is_novel(item):
        return Proposal(NAME, another=another)
    if item.kind == Reason.TECHNICAL.label:
        return Proposal(UNKNOWN, another=another)
    return weighed(item.candidates, shown, said)


def _at_least(opened: Workspace, found: Proposal, broad: Candidate | None) -> Proposal:
    """Return the broader type instead of an undecided answer, where that settles it."""
    if found.answer or broad is None:
        return found
    tree = opened.labels().tree
    if not all(broad.name in tree.above(name) for name in found.between):
        return found
    return replace(found, answer=broad.name, between=())


def is_novel(item: ReviewItem) -> bool:
    """Tell whether a card is asked because its cells are unlike every labeled one."""
    by_cluster = item.asked is not None and item.asked.why == NOVEL
    return item.kind == Reason.NOVEL.label or by_cluster


def weighed(candidates: Sequence[Candidate], shown: Evidence, said: str = "") -> Proposal:
    """Weigh the model, genes and neighbors, and what opinions have `said` (empty: nothing)."""
    names = [candidate.name for candidate in candidates]
    another = said if said not in names else ""
    by_model = _by_model(candidates)
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
    return Proposal("", pair, another, _sides(by_model, favors, leans, said))


def _by_model(candidates: Sequence[Candidate]) -> str:
    """Return the type the model clearly says; empty where there is none."""
    first, second = (*(candidate.probability for candidate in candidates), 0.0)[:2]
    is_clear = first >= CLEAR_TIMES * second and first >= CLEAR_FROM
    return candidates[0].name if is_clear else ""


def _unlike(candidates: Sequence[Candidate], favors: str) -> str:
    """Say what speaks for a type and what against all of them."""
    who = "the model, genes" if _by_model(candidates) == favors else "genes"
    return f"{who} and labeled cells nearby say {favors}, but they look unlike every labeled cell"


def _sides(by_model: str, favors: str, leans: str, said: str) -> str:
    """Say of each that speaks for a type which it is."""
    sides = [f"the model says {by_model}" if by_model else "the model is not sure"]
    if favors or leans:
        word = "say" if favors else "lean to"
        sides.append(f"genes and labeled cells nearby {word} {favors or leans}")
    if said:
        sides.append(f"other tools say {said}")
    return ", ".join(sides) if sides[1:] else NOTHING
