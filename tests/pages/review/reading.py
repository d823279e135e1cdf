"""What stands on the review page."""

import time

from pages.ui.frame import state
from pages.ui.review import card_trail
from scanvi_core.services.review import queue
from scanvi_core.services.runs import provisional
from scanvi_core.services.workspace import workspace


def ready(project):
    end = time.monotonic() + 120
    while provisional.state(workspace(project)).working:
        assert time.monotonic() < end
        time.sleep(0.02)


def question(app):
    """Return the line that asks about the card in front."""
    return next(str(item.value) for item in app.markdown if "similar cell" in str(item.value))


def captions(app):
    return [str(item.value) for item in app.caption]


def progress(app):
    """Return what stands above the bar of the review."""
    return next(str(item.value) for item in app.markdown if " in doubt, " in str(item.value))


def primary(app):
    return [item.key for item in app.button if item.proto.type == "primary"]


def in_front(app, project):
    """Return the card the page shows: the queue may have been made anew since."""
    trail, place = (
        app.session_state[f"{state._PREFIX}{name}.{queue.SUGGESTED}"]
        for name in (card_trail.TRAIL, card_trail.PLACE)
    )
    return queue.card(workspace(project), trail[place])
