"""The random check: offered on Evaluate where nothing was set aside, made on Review."""

import numpy as np
import pytest

from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.review import queue
from scanvi_core.services.review.queue import CHECK
from scanvi_core.services.review.random_check import N_CHECKS, random_check
from scanvi_core.services.workspace import workspace
from tests.projects import BRIEF, train_now


@pytest.mark.parametrize("by_hand", [True, False])
def test_evaluate_offers_it_where_no_labels_were_set_aside(visit, labeled, by_hand):
    opened = workspace(labeled)
    holdout.set_aside(opened, HoldoutRequest(holdout.NONE))
    if by_hand:
        codes = opened.labels().codes.copy()
        names = opened.labels().names
        edit.start_empty(opened)
        for code in np.unique(codes[codes >= 0]):
            edit.name_cells(opened, np.flatnonzero(codes == code)[:10], names[code], "lasso")
    train_now(labeled, BRIEF)
    app = visit("evaluate", labeled)
    assert not app.exception
    button, other = app.button(key="random-check"), app.button(key="set-aside")
    kinds = {b.key: b.proto.type for b in (button, other)}
    assert kinds == {"random-check": "primary" if by_hand else "secondary",
                     "set-aside": "secondary" if by_hand else "primary"}  # fmt: skip
    card = queue.review_state(workspace(labeled)).cards(CHECK)[0]
    edit.name_cells(workspace(labeled), np.array([card.drawn]), "B", "review")
    app = visit("evaluate", labeled)
    assert any("of 1 cell drawn at random" in text.value for text in app.header)


def test_the_tab_shows_a_cell_and_counts(visit, trained):
    app = visit("review", trained)
    app.button_group(key="review-tab").set_value("Random check").run()
    assert not app.exception
    said = " ".join(element.value for element in app.markdown)
    assert "A cell drawn at random" in said and f"Name {N_CHECKS} cells" in said
    app.button(key="accept").click().run()
    assert not app.exception
    found = random_check(queue.review_state(workspace(trained)))
    assert found.n_checked == found.n_right == 1
    assert "right about 1 of 1 cell drawn at random" in " ".join(
        element.value for element in app.markdown
    )


def test_setting_labels_aside_comes_first_on_labels_where_evaluate_led_there(visit, labeled):
    from pages.ui.frame import state
    from pages.ui.labels.holdout import ASIDE_FIRST

    opened = workspace(labeled)
    edit.start_empty(opened)
    edit.name_cells(opened, np.arange(20), "B", "lasso")
    edit.name_cells(opened, np.arange(20, 40), "T", "lasso")

    def drawn(block):
        for part in block.children.values():
            yield getattr(part, "key", None) or getattr(part, "value", None)
            yield from drawn(part) if hasattr(part, "children") else ()

    def first(app):
        page = list(drawn(app.main))
        return page.index("Set aside for an honest score") < page.index("naming-way")

    app = visit("labels", labeled)
    assert not first(app)
    app.session_state[f"{state._PREFIX}{ASIDE_FIRST}"] = True
    assert first(app.run())
