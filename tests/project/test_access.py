"""Who may see and change a project: the rules, and the file they are kept in."""

import json

import pytest

from scanvi_core.errors import SettingInvalid
from scanvi_core.project import access
from scanvi_core.project.access import READ, WRITE, Access, Person

OWNER, BOB, CARL = (Person(name) for name in ("anna@a", "bob@a", "carl@a"))
ADMIN = Person("root@a", is_admin=True)
NOBODY = Person("")


@pytest.mark.parametrize(
    ("shared", "levels"),  # of the owner, of Bob, of Carl
    [
        (Access("anna@a"), (WRITE, "", "")),
        (Access("anna@a", READ), (WRITE, READ, READ)),
        (Access("anna@a", WRITE), (WRITE, WRITE, WRITE)),
        (Access("anna@a", people={"bob@a": READ}), (WRITE, READ, "")),
        (Access("anna@a", people={"bob@a": WRITE}), (WRITE, WRITE, "")),
        (Access("anna@a", READ, {"bob@a": WRITE}), (WRITE, WRITE, READ)),
        (Access("anna@a", WRITE, {"bob@a": READ}), (WRITE, WRITE, WRITE)),
        (Access(), ("", "", "")),
        (Access("", READ), (READ, READ, READ)),
    ],
)
def test_the_owner_may_everything_and_others_what_was_given(shared, levels):
    assert tuple(access.level(shared, who) for who in (OWNER, BOB, CARL)) == levels
    assert access.level(shared, ADMIN) == WRITE
    assert access.level(shared, NOBODY) == ""
    sharing = [access.may_share(shared, who) for who in (OWNER, BOB, CARL, ADMIN, NOBODY)]
    assert sharing == [shared.owner == OWNER.name, False, False, True, False]


def test_what_was_given_is_read_again_as_soon_as_it_changed(tmp_path):
    access.keep(tmp_path, Access("anna@a", people={"bob@a": READ}))
    assert access.access_of(tmp_path) == Access("anna@a", people={"bob@a": READ})
    access.keep(tmp_path, Access("anna@a", people={"bob@a": WRITE}))
    assert access.access_of(tmp_path).people == {"bob@a": WRITE}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '{"owner": "bob@a"}', '{"owner": 7, "everyone": "", "people": {}}',
     '{"owner": "bob@a", "everyone": "all", "people": {}}',
     '{"owner": "bob@a", "everyone": "", "people": {"carl@a": "own"}}',
     '{"owner": "bob@a", "everyone": "", "people": {"carl@a": ["read"]}}',
     '{"owner": "bob@a", "everyone": ["read"], "people": {}}'],
)  # fmt: skip
def test_rules_that_cannot_be_read_leave_a_project_to_administrators(
    tmp_path, monkeypatch, caplog, text
):
    monkeypatch.setenv(access.UNOWNED_VARIABLE, "write")
    (tmp_path / access.FILE).write_text(text)
    found = access.access_of(tmp_path)
    assert [access.level(found, who) for who in (BOB, CARL, ADMIN)] == ["", "", WRITE]
    assert "is damaged: only administrators" in caplog.text


@pytest.mark.parametrize(("said", "level"), [("", ""), ("read", READ), (" Write ", WRITE)])
def test_a_project_of_before_is_for_administrators_or_as_the_variable_says(
    tmp_path, monkeypatch, said, level
):
    monkeypatch.setenv(access.UNOWNED_VARIABLE, said)
    found = access.access_of(tmp_path)
    assert access.level(found, BOB) == level
    assert access.level(found, ADMIN) == WRITE
    assert not access.may_share(found, BOB)


def test_another_word_in_the_variable_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv(access.UNOWNED_VARIABLE, "all")
    with pytest.raises(SettingInvalid, match="SCANVI_UNOWNED_PROJECTS is 'all'"):
        access.access_of(tmp_path)


def test_nothing_is_written_down_where_nobody_signs_in(tmp_path):
    access.begin(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_who_makes_a_project_owns_it(tmp_path, monkeypatch):
    monkeypatch.setattr(access, "_ask", lambda: BOB)
    access.begin(tmp_path)
    said = json.loads((tmp_path / access.FILE).read_text())
    assert said == {"owner": "bob@a", "everyone": "", "people": {}}
