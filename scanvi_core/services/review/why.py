"""Why a card is asked, in one sentence: what the core put it there for."""

from scanvi_core import config
from scanvi_core.annotation.review.asked import NOVEL, UNSURE, Asked
from scanvi_core.annotation.uncertainty.reasons import Reason
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.review.queue import CHECK, RANDOM, ReviewItem

OF_KIND = {
    RANDOM: "Asked as a random check: one cell was drawn from those the model is sure of, to see "
    "how right it is where nobody looks",
    CHECK: "Asked because it was drawn at random from all cells without a label.",
    Reason.NOVEL.label: "Asked because the look for new types found them unlike every labeled "
    "cell.",
    Reason.TECHNICAL.label: "Asked because something technical is wrong with each: few counts, a "
    "dying cell or two cells in one droplet.",
}


def sentence(item: ReviewItem) -> str:
    """Return why a card is asked; empty before there is a model, when each part is asked about."""
    if item.kind == RANDOM:
        return f"{OF_KIND[RANDOM]}{_with_it(len(item.rows) - 1)}"
    if item.kind in OF_KIND:
        return OF_KIND[item.kind]
    return "" if item.asked is None else _of_cluster(item.asked, item.confidence)


def _with_it(n: int) -> str:
    """Say which cells the answer to a random check names."""
    if not n:
        return "."
    those = "the cell" if n == 1 else f"the {n} cells"
    return (
        f". Your answer names it and {those} nearest to it that the model calls the same; only "
        "the drawn one counts as a check. Split them if they are not one type."
    )


def _of_cluster(asked: Asked, confidence: float) -> str:
    """Say what of the cluster around a card speaks against the first guess."""
    some = f"{asked.n:,} of {count(asked.n_cells, 'cell')}"
    if asked.n_cells == asked.n:
        some = "all cells" if asked.n > 1 else "the cell"
    around = f"{some} without a label in this cluster"
    low = percent(config.LOW_CONFIDENCE)
    if asked.why == UNSURE:
        return f"Asked because the model is less than {low} sure of {around}."
    how = "although" if confidence >= config.LOW_CONFIDENCE else "while"
    sure = f"{how} the model is {percent(confidence)} sure of those on this card"
    are = "is" if asked.n == 1 else "are"
    if asked.why == NOVEL:
        return f"Asked because {around} {are} unlike every labeled cell, {sure}."
    return (
        f"Asked because {around} {are} somewhat unlike labeled cells. They may be of a new type, "
        f"{sure}."
    )
