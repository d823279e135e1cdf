"""A dialog belongs to its page and its card: gone with them, it holds nothing up."""

from pages.ui.frame import dialogs, state

OPEN = f"{state._PREFIX}{dialogs.OPEN}"


def test_an_open_dialog_is_closed_with_its_page_and_with_its_card(visit, trained):
    app = visit("review", trained)
    app.button(key="new-label").click().run()
    assert OPEN in app.session_state and app.button(key="name-them").disabled
    app.run()
    assert OPEN in app.session_state  # drawn anew, as when a job has ended
    app.switch_page("pages/screens/evaluate.py").run()
    assert OPEN not in app.session_state
    app = visit("review", trained)
    app.button(key="new-label").click().run()
    app.button(key="skip").click().run()
    assert OPEN not in app.session_state
    assert not app.exception
