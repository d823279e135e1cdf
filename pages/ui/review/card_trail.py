"""Which card of the review a tab shows: it stays until it is decided or skipped.

The queue is made anew after every decision, so a tab remembers the cards it has shown, and a new
one is only taken when the reader leaves the last. Each kind of card has a trail of its own.
"""

from typing import Any

from pages.ui.frame import state
from scanvi_core.services.review import queue, stopping
from scanvi_core.services.review.queue import RANDOM, SUGGESTED, ReviewItem, ReviewState
from scanvi_core.services.workspace import Workspace

TRAIL, PLACE, DECIDED = "review-trail", "review-place", "review-decided"
CHECK_EVERY = 10  # so many suggested cards hold one random check


def front(review: ReviewState, kind: str) -> ReviewItem | None:
    """Return the card to show now, None when everything is decided."""
    cards = _cards(review.opened, kind)
    open_ = {item.token for item in cards if not review.is_decided(item)}
    tokens = [item.token for item in cards]
    undone = [token for token in _recall(DECIDED, kind, []) if token in open_]
    place = tokens.index(undone[-1]) if undone else _recall(PLACE, kind, 0)
    while place < len(cards) and tokens[place] not in open_:
        place += 1
    if place >= len(cards):
        place = _further(review, kind, cards, open_)
    _remember(DECIDED, kind, [token for token in tokens if token not in open_])
    _remember(TRAIL, kind, [item.token for item in cards])
    _remember(PLACE, kind, place or 0)
    return None if place is None else cards[place]


def _further(
    review: ReviewState, kind: str, cards: list[ReviewItem], open_: set[str]
) -> int | None:
    """Return the place of the next card: a new one put on the trail, else the first skipped."""
    seen = [item for item in cards if item.token in open_]
    fresh = None
    if kind == SUGGESTED and review.run_id is not None and (
        len(cards) % CHECK_EVERY == CHECK_EVERY - 1 or stopping.rest(review).is_due
    ):  # fmt: skip
        fresh = review.next_card(seen, RANDOM)
    fresh = fresh or review.next_card(seen, kind)
    if fresh is not None:
        cards.append(fresh)
        return len(cards) - 1
    return next((i for i, item in enumerate(cards) if item.token in open_), None)


def skip(kind: str) -> None:
    """Go on to the next card."""
    _remember(PLACE, kind, _recall(PLACE, kind, 0) + 1)


def split(opened: Workspace, item: ReviewItem, kind: str) -> None:
    """Put the parts of a mixed card in its place."""
    tokens = [card.token for card in _cards(opened, kind)]
    place = tokens.index(item.token)
    tokens[place : place + 1] = [part.token for part in queue.parts(opened, item)]
    _remember(TRAIL, kind, tokens)
    _remember(PLACE, kind, place)


def back(opened: Workspace, kind: str) -> None:
    """Return to what was in front before this card: the group it is a part of, or another one."""
    earlier = _earlier(queue.review_state(opened), kind)
    if earlier is not None:
        tokens, place = earlier
        _remember(TRAIL, kind, tokens)
        _remember(PLACE, kind, place)


def can_go_back(opened: Workspace, kind: str) -> bool:
    """Tell whether `back` leads anywhere."""
    return _earlier(queue.review_state(opened), kind) is not None


def _earlier(review: ReviewState, kind: str) -> tuple[list[str], int] | None:
    """Return the trail, and the place on it, that `back` returns to; None at the first card.

    Before the first part of a group comes the whole group, as long as no part is decided; before
    any other card the last one that is still open.
    """
    cards, place = _cards(review.opened, kind), _recall(PLACE, kind, 0)
    tokens = [item.token for item in cards]
    if place < len(cards) and cards[place].path:
        whole = tokens[place].rpartition(".")[0]
        parts = [i for i, token in enumerate(tokens) if token.startswith(f"{whole}.")]
        if parts[0] == place and not any(review.is_decided(cards[i]) for i in parts):
            return [*tokens[:place], whole, *tokens[parts[-1] + 1 :]], place
    for i in range(min(place, len(cards)) - 1, -1, -1):
        if not review.is_decided(cards[i]):
            return tokens, i
    return None


def _cards(opened: Workspace, kind: str) -> list[ReviewItem]:
    cards = (queue.card(opened, token) for token in _recall(TRAIL, kind, []))
    return [item for item in cards if item is not None]


def _recall(name: str, kind: str, default: Any) -> Any:
    return state.recall(f"{name}.{kind}", default)


def _remember(name: str, kind: str, value: Any) -> None:
    state.remember(f"{name}.{kind}", value)
