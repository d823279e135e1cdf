"""The cards of the review page: the one that stays, marks of provisional suggestions, its keys."""

import json

import numpy as np
import pytest

from pages.ui.review import card
from scanvi_core import keys
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.explore import maps
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import edit
from scanvi_core.services.labels.names import completions
from scanvi_core.services.review import answers, evidence, queue, why
from scanvi_core.services.review.proposed import NAME, UNKNOWN, Proposal
from scanvi_core.services.workspace import workspace
from tests.pages.review.reading import captions, in_front, primary, progress, question, ready
from tests.projects import train_now


def test_the_card_in_front_stays_while_predictions_come_and_the_next_one_follows_them(
    visit, trained
):
    app = visit("review", trained)
    first = question(app)
    app.button(key="accept").click().run()
    second = question(app)
    assert second != first and "provisional" not in second
    ready(trained)
    app.run()
    assert question(app) == second
    app.button(key="accept").click().run()
    assert ":violet-badge[provisional]" in question(app)
    assert not app.exception


def test_skip_and_back_walk_along_the_cards_and_undo_brings_the_last_one_back(visit, trained):
    app = visit("review", trained)
    first = question(app)
    app.button(key="skip").click().run()
    second = question(app)
    app.button(key="back").click().run()
    assert question(app) == first != second
    app.button(key="accept").click().run()
    assert question(app) == second
    app.button(key="undo").click().run()
    assert question(app) == first


def test_cards_that_were_skipped_come_again_at_the_end_and_one_of_ten_is_a_random_check(
    visit, trained
):
    app = visit("review", trained)
    n = len(queue.queue(workspace(trained)))
    seen = [question(app)]
    while len(seen) < 2 or seen[-1] != seen[0]:  # a card whose cells a check showed is left out
        assert len(seen) <= n + n // 9
        app.button(key="skip").click().run()
        seen.append(question(app))
    assert len(seen) > 0.8 * n
    checks = [i for i, asked in enumerate(seen) if "random check" in asked]
    assert checks == list(range(9, len(seen) - 1, 10))
    assert not app.exception


def test_random_checks_come_when_only_they_are_missing(visit, trained):
    for item in queue.queue(workspace(trained)):
        answers.unknown(workspace(trained), item)
    assert "random check" in question(visit("review", trained))


def test_a_mixed_card_is_split_in_its_place_and_the_next_card_follows_its_parts(visit, trained):
    app = visit("review", trained)
    first = queue.queue(workspace(trained))[0]
    parts = queue.parts(workspace(trained), first)
    app.button(key="split").click().run()
    for part in parts:
        assert f"**{len(part.rows)} similar cell" in question(app)
        assert ":gray-badge[part of a group]" in question(app)
        app.button(key="accept").click().run()
    assert queue.review_state(workspace(trained)).is_decided(first)
    assert "part of a group" not in question(app)
    assert not app.exception


def test_back_returns_to_the_group_that_was_split_not_to_one_skipped_before(visit, trained):
    app = visit("review", trained)
    assert app.button(key="back").disabled
    app.button(key="skip").click().run()
    while not in_front(app, trained).can_split:
        app.button(key="skip").click().run()
    whole = in_front(app, trained).token
    app.button(key="split").click().run()
    first = in_front(app, trained).token
    app.button(key="skip").click().run()
    second = in_front(app, trained).token
    app.button(key="back").click().run()
    assert in_front(app, trained).token == first != second
    app.button(key="back").click().run()
    assert in_front(app, trained).token == whole != first
    app.button(key="split").click().run()
    app.button(key="accept").click().run()  # from now on the group is no more
    app.button(key="back").click().run()
    assert in_front(app, trained).token != whole
    assert not app.exception


def test_the_number_on_a_tab_is_that_of_the_open_cards_and_the_tab_stays(visit, trained):
    app = visit("review", trained)
    tabs = app.button_group(key="review-tab")
    n = len(queue.queue(workspace(trained)))
    assert tabs.options[0] == f"Suggested ({n})"
    assert tabs.options[1:] == [
        "Label check", "Novel", "Technical", "Random check", "Conflicts", "Done",
    ]  # fmt: skip
    tabs.set_value("Done").run()
    answers.accept(workspace(trained), queue.queue(workspace(trained))[0])
    ready(trained)
    app.run()
    tabs = app.button_group(key="review-tab")
    n = queue.review_state(workspace(trained)).n_open(queue.SUGGESTED)
    assert tabs.options[0] == f"Suggested ({n})"
    assert tabs.value == "Done"


def test_decisions_are_counted_by_model_and_provisional_is_said_in_words(visit, trained):
    app = visit("review", trained)
    assert progress(app).startswith("No decision yet. Of ")
    app.button(key="accept").click().run()
    ready(trained)
    app.button(key="accept").click().run()
    assert progress(app).startswith("2 decisions since model 1. Of ")
    assert ":violet-badge[provisional]" in question(app)
    words = "follows your 2 decisions since model 1; the model itself learns from them when you"
    assert any(words in text for text in captions(app))
    train_now(trained)
    app.run()
    assert progress(app).startswith("Model 2 has learned your 2 decisions. Of ")
    assert "provisional" not in question(app)  # the card stays, and is model 1's
    app.button(key="undo").click().run()
    assert "changed labels since model 2. Of " in progress(app)
    assert not app.exception


def test_the_card_says_what_accepting_would_do_and_what_was_done_last(visit, trained):
    app = visit("review", trained)
    n = len(queue.queue(workspace(trained))[0].rows)
    assert any(f": {n} cells will have this name" in text for text in captions(app))
    assert not any("Last step: accept" in text for text in captions(app))
    app.button(key="accept").click().run()
    assert any("Last step: accept" in text for text in captions(app))


@pytest.mark.parametrize("tab", ["Label check", "Novel", "Technical", "Conflicts"])
def test_a_tab_without_content_says_why(visit, trained, tab):
    app = visit("review", trained)
    app.button_group(key="review-tab").set_value(tab).run()
    assert not app.exception
    if tab == "Conflicts":
        assert "Nobody named" in app.info[0].value
    else:
        assert any("not looked at yet" in str(item.value) for item in app.markdown)
    assert not any(button.key == "accept" for button in app.button)


def with_signs(monkeypatch, proposal):
    monkeypatch.setattr(card.proposed, "of", lambda *_: proposal)


def test_the_primary_answer_is_the_proposed_one(visit, trained, monkeypatch):
    app = visit("review", trained)
    item = in_front(app, trained)
    first, second = (candidate.name for candidate in item.candidates[:2])
    with_signs(monkeypatch, Proposal(second))
    app.run()
    keys_of = {button.key: button.proto.shortcut for button in app.button}
    assert keys_of["choose-2"] == "a" and keys_of["accept"] == "2"  # A says yes to the question
    assert primary(app) == ["choose-2"]  # the only one of the page
    with_signs(monkeypatch, Proposal(first))
    app.run()
    assert primary(app) == ["accept"]
    assert not app.exception


def test_an_undecided_card_has_no_primary_answer_and_a_key_for_each_of_both(
    visit, trained, monkeypatch
):
    app = visit("review", trained)
    item = in_front(app, trained)
    first, third = item.candidates[0].name, item.candidates[2].name
    with_signs(monkeypatch, Proposal("", (first, third)))
    app.run()
    assert primary(app) == []
    assert "Undecided between" in question(app) and "nothing is clearly ahead" in question(app)
    keys_of = {button.key: button.proto.shortcut for button in app.button}
    assert (keys_of["accept"], keys_of["choose-3"], keys_of["choose-2"]) == ("a", "2", "3")
    assert not any(button.label.startswith("Accept") for button in app.button)
    app.button(key="choose-3").click().run()
    state = workspace(trained).labels()
    assert {state.names[code] for code in state.codes[item.rows]} == {third}
    with_signs(monkeypatch, Proposal("", (first, NAME), "Said by others"))
    app.run()
    assert "a type nobody has named" in question(app) and primary(app) == []
    others = next(button for button in app.button if button.key == "choose-others")
    assert others.label == "Said by others"
    assert not app.exception


def test_a_card_says_why_it_is_asked(visit, trained):
    app = visit("review", trained)
    told = why.sentence(in_front(app, trained))
    assert told and any(told in str(item.value).replace("\\", "") for item in app.markdown)


def test_what_is_counted_is_said_in_its_help(visit, trained):
    app = visit("review", trained)
    told = next(item for item in app.markdown if " in doubt, " in str(item.value))
    now = queue.review_state(workspace(trained)).progress
    assert told.value == f"No decision yet. {now.sentence}" and told.help == now.meaning


def test_bars_of_levels_have_one_scale(visit, trained):
    app = visit("review", trained)
    table = next(item for item in app.dataframe if "these cells" in item.value.columns)
    columns = json.loads(table.proto.columns)
    bars = [own for own in columns.values() if own.get("type_config", {}).get("max_value")]
    assert len(bars) == 3
    scales = {(own["width"], own["type_config"]["max_value"]) for own in bars}
    assert len(scales) == 1  # as wide, and full at the same level
    assert any("Every bar is of one scale, full at " in text for text in captions(app))


def test_words_of_a_novel_card_are_no_answer(trained):
    shown = evidence.of(workspace(trained), queue.queue(workspace(trained))[0])
    assert card._verdict(shown, Proposal(NAME)).startswith("Among the labeled types, ")
    assert card._effect(shown, Proposal(NAME), 2).startswith("Another name: 2 cells will have")
    assert "will have no type" in card._effect(shown, Proposal(UNKNOWN), 2)
    assert card._effect(shown, Proposal("", ("A", "B")), 2).startswith("2 cells will have the")


def test_technical_cells_are_decided_like_others(visit, trained):
    uncertainty.start(workspace(trained))
    assert jobs.wait(uncertainty.latest(workspace(trained)).id).status is jobs.JobStatus.DONE
    cards = queue.review_state(workspace(trained)).cards(uncertainty.Reason.TECHNICAL.label)
    reason = uncertainty.reasons(workspace(trained)).reason
    assert all((reason[item.rows] == uncertainty.Reason.TECHNICAL).all() for item in cards)
    app = visit("review", trained)
    app.button_group(key="review-tab").set_value("Technical").run()
    assert not app.exception
    if not cards:
        assert "No group of cells" in app.info[0].value
        return
    app.button(key="unknown").click().run()
    assert queue.review_state(workspace(trained)).is_decided(cards[0])


def test_the_last_tab_says_whether_to_go_on_and_what_was_decided(visit, trained):
    app = visit("review", trained)
    app.button(key="accept").click().run()
    app.button_group(key="review-tab").set_value("Done").run()
    assert "groups left would correct about" in app.info[0].value
    assert len(app.dataframe[0].value) == 1


def test_decisions_to_the_end_leave_a_finished_page(visit, trained):
    app = visit("review", trained)
    for _ in range(200):
        if not any(button.key == "unknown" for button in app.button):
            break
        app.button(key="unknown").click().run()
        ready(trained)
    assert "All groups are decided" in app.success[0].value
    n_left = queue.review_state(workspace(trained)).progress.n_left
    told = [text for text in captions(app) if "in doubt have no label" in text]
    assert told == [] if not n_left else told[0].startswith(f"{count(n_left, 'cell')} in doubt")
    assert not app.exception


def test_without_a_model_groups_are_found_and_named_one_by_one(visit, project):
    opened = workspace(project)
    edit.start_empty(opened)
    app = visit("review", project)
    app.button(key="find-groups").click().run()
    job = next(j for j in jobs.list_jobs(project) if j.kind == maps.MAP)
    assert jobs.wait(job.id, 120).error is None
    app.run()
    assert any("What are they?" in item.value for item in app.markdown)
    assert app.button(key="name-them").disabled
    item = queue.queue(opened)[0]
    box = app.selectbox(key=f"first-name-{item.key}")
    assert box.options[0] == completions.completions([])[0]  # no type here yet
    edit.name_cells(opened, np.setdiff1d(np.arange(5), item.rows), "B cell", "lasso")
    app.run()
    app.selectbox(key=f"first-name-{item.key}").set_value("B cell").run()
    app.button(key="name-them").click().run()
    assert opened.labels().counts == {"B cell": len(item.rows) + 5}
    app.button(key="unknown").click().run()
    assert opened.labels().counts[keys.UNKNOWN] > 0
    assert not app.exception
