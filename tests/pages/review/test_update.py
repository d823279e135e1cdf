"""Updating the model from the review page: kept, taken back, or not put in use."""

import numpy as np
import pytest

from scanvi_core.services import jobs
from scanvi_core.services.labels import edit
from scanvi_core.services.review import answers, queue
from scanvi_core.services.runs import model_in_use, provisional, results
from scanvi_core.services.training import start
from scanvi_core.services.workspace import workspace
from tests.pages.review.reading import captions, question, ready
from tests.projects import BRIEF, train_now


def test_a_new_model_does_not_move_the_card_in_front(visit, trained):
    app = visit("review", trained)
    app.button(key="skip").click().run()
    before = question(app)
    train_now(trained)
    app.run()
    assert question(app) == before
    assert not app.exception


def test_the_button_that_updates_waits_for_a_decision(visit, trained):
    app = visit("review", trained)
    assert app.button(key="update-model").disabled
    app.button(key="accept").click().run()
    assert not app.button(key="update-model").disabled


def test_what_the_decisions_change_is_told_under_the_card(visit, trained):
    model = results.current(workspace(trained))
    rows = (model.prediction == 0).nonzero()[0]
    edit.name_cells(workspace(trained), rows[::2], "<b>New</b>", "lasso")
    ready(trained)
    n = provisional.state(workspace(trained)).newest.n_changed
    app = visit("review", trained)
    assert n > 1
    assert any(f"change {n} other predictions so far" in text for text in captions(app))


@pytest.mark.parametrize(("button", "stays"), [("keep-model", True), ("go-back", False)])
def test_an_update_is_kept_or_taken_back_with_one_click(visit, trained, button, stays):
    answers.accept(workspace(trained), queue.queue(workspace(trained))[0])
    first = results.current(workspace(trained)).run_id
    second = train_now(trained)
    app = visit("review", trained)
    told = next(str(item.value) for item in app.markdown if "is in use" in str(item.value))
    n = int(model_in_use.latest(workspace(trained)).changed["cells"].sum())
    assert told.startswith(f"**Model 2 is in use: {n} prediction")
    app.button(key=button).click().run()
    assert results.current(workspace(trained)).run_id == (second if stays else first)
    assert not any("is in use" in str(item.value) for item in app.markdown)
    assert not app.exception


def test_a_model_that_got_worse_is_not_in_use_and_the_page_says_so_on_top(visit, trained):
    model = results.current(workspace(trained))
    wrong = (model.prediction == model.names.index("Dendritic")) & ~model.holdout
    edit.name_cells(workspace(trained), np.flatnonzero(wrong), "Megakaryocytes", "lasso")
    job = jobs.wait(start.start(workspace(trained), BRIEF), 300)
    second = job.result
    app = visit("train", trained)
    assert any("Model 2 got worse" in item.value for item in app.markdown)
    assert not any("is ready" in item.value for item in app.markdown)  # model 1, long since
    app = visit("review", trained)
    told = next(i for i, item in enumerate(app.markdown) if "Model 2 got worse" in item.value)
    assert "so model 1 stays in use" in app.markdown[told].value
    assert not any("is in use" in item.value for item in app.markdown)
    app.button(key="take-offered").click().run()
    assert results.current(workspace(trained)).run_id == second
    assert any("Model 2 is in use" in item.value for item in app.markdown)
    app.button(key="go-back").click().run()
    assert results.current(workspace(trained)).run_id == model.run_id
    assert not app.exception


def test_what_decisions_taught_is_drawn_when_it_is_opened(visit, trained):
    for item in queue.queue(workspace(trained))[:2]:
        answers.accept(workspace(trained), item)
    app = visit("review", trained)
    assert not any("right beforehand" in item.value for item in app.markdown)
    app.session_state["taught"] = True
    app.run()
    assert any("You decided 2 times" in item.value for item in app.markdown)
    assert len(app.get("plotly_chart")) == 1
    assert not app.exception
