"""Cards that somebody else decided meanwhile, and what people differ on."""

from scanvi_core.services.labels import edit, history
from scanvi_core.services.projects import library
from scanvi_core.services.review import queue
from scanvi_core.services.workspace import workspace
from tests.pages.review.reading import in_front


def test_a_card_somebody_else_decided_in_part_is_refused_with_both_versions(visit, trained):
    app = visit("review", trained)
    item = in_front(app, trained)
    edit.name_cells(workspace(trained), item.rows[:1], "Theirs", "lasso")  # another tab, meanwhile
    app.button(key="accept").click().run()
    told = " ".join(str(error.value) for error in app.error).replace("\\", "")
    assert "assign Theirs to 1 cell" in told and f"to {len(item.rows)} cells" in told
    assert workspace(trained).store.events()[-1].payload["labels"] == ["Theirs"]
    app.button(key="accept").click().run()  # having seen it
    assert workspace(trained).store.events()[-1].kind == "accept"


def test_what_was_refused_is_told_of_its_own_group_when_another_is_in_front(visit, trained):
    app = visit("review", trained)
    item = in_front(app, trained)
    edit.name_cells(workspace(trained), item.rows, "Theirs", "lasso")  # all of it, meanwhile
    app.button(key="accept").click().run()
    told = " ".join(str(error.value) for error in app.error).replace("\\", "")
    assert in_front(app, trained).token != item.token
    assert "About the group before this one" in told and item.candidates[0].name in told
    assert "assign Theirs" in told
    app.button(key="accept").click().run()
    assert not app.error


def test_what_people_differ_on_is_a_review_item(visit, trained):
    other = library.duplicate(trained)
    row = queue.review_state(workspace(trained)).queue[0].rows[:1]
    edit.name_cells(workspace(other), row, "Theirs", "lasso")
    edit.name_cells(workspace(trained), row, "Mine", "lasso")
    history.import_log(workspace(trained), history.export_log(workspace(other)))
    app = visit("review", trained)
    assert not any(button.key == "decide-0-Theirs" for button in app.button)
    app.button_group(key="review-tab").set_value("Conflicts").run()
    app.button(key="decide-0-Theirs").click().run()
    assert workspace(trained).store.events()[-1].payload["labels"] == ["Theirs"]
