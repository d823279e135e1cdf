"""Which card of the review queue a tab shows: it stays until it is decided or skipped.

The queue is made anew after every decision, so a tab remembers the cards it has shown, and a new
one is only taken when the reader leaves the last.
"""

from pages.ui import state
from scanvi_core.services import reviewing
from scanvi_core.services.reviewing import ReviewItem

TRAIL, PLACE, DECIDED = "review-trail", "review-place", "review-decided"


def front(project: str) -> ReviewItem | None:
    """Return the card to show now, None when everything is decided."""
    cards = _cards(project)
    open_ = {item.token for item in cards if not reviewing.is_decided(project, item)}
    tokens = [item.token for item in cards]
    undone = [token for token in state.recall(DECIDED, []) if token in open_]
    place = tokens.index(undone[-1]) if undone else state.recall(PLACE, 0)
    while place < len(cards) and tokens[place] not in open_:
        place += 1
    if place >= len(cards):
        place = _further(project, cards, open_)
    state.remember(DECIDED, [token for token in tokens if token not in open_])
    state.remember(TRAIL, [item.token for item in cards])
    state.remember(PLACE, place or 0)
    return None if place is None else cards[place]


def _further(project: str, cards: list[ReviewItem], open_: set[str]) -> int | None:
    """Return the place of the next card: a new one put on the trail, else the first skipped."""
    fresh = reviewing.next_card(project, [item for item in cards if item.token in open_])
    if fresh is not None:
        cards.append(fresh)
        return len(cards) - 1
    return next((i for i, item in enumerate(cards) if item.token in open_), None)


def skip() -> None:
    """Go on to the next card."""
    state.remember(PLACE, state.recall(PLACE, 0) + 1)


def back(project: str) -> None:
    """Return to the last card before this one that is still open."""
    cards, place = _cards(project), state.recall(PLACE, 0)
    for i in range(min(place, len(cards)) - 1, -1, -1):
        if not reviewing.is_decided(project, cards[i]):
            state.remember(PLACE, i)
            return


def _cards(project: str) -> list[ReviewItem]:
    found = (reviewing.card(project, token) for token in state.recall(TRAIL, []))
    return [item for item in found if item is not None]
