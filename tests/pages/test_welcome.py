"""The first screen tells a newcomer what is needed, how long it takes, what it is not."""

from streamlit.testing.v1 import AppTest

from pages.ui.open import welcome
from tests import ROOT

TITLE = "What you need, how long it takes, what it is not, where to ask"


def welcomed():
    from pages.ui.open import welcome

    welcome.draw()


def drawn(monkeypatch, entries):
    monkeypatch.setattr(welcome.library, "listing", lambda **_: entries)
    app = AppTest.from_function(welcomed).run()
    (box,) = app.expander
    assert box.label == TITLE
    return box


def test_a_newcomer_sees_it_and_who_has_projects_can_open_it(monkeypatch):
    box = drawn(monkeypatch, [])
    assert box.proto.expanded
    text = box.markdown[0].value
    for said in ("counts", "at least two types", "a few labeled cells each", "marker genes",
                 "ten minutes", "It is not", "Ask"):  # fmt: skip
        assert said in text
    assert not drawn(monkeypatch, ["a project"]).proto.expanded


def test_the_readme_says_the_same():
    top = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Two commands")[0]
    for said in ("counts", "at least two types", "a few labeled cells each", "marker genes",
                 "ten minutes", "It is not", "Ask"):  # fmt: skip
        assert said in " ".join(top.split())
