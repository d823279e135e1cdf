"""Links: what opens a project, until when, who makes them, and what is kept of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from scanvi_core import config
from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.project import links as stored
from scanvi_core.project.access import Person
from scanvi_core.project.folder import open_project
from scanvi_core.services.projects import library
from scanvi_core.services.viewing import links
from tests.services.viewing.conftest import ANNA, VERA


def file_of(project):
    return open_project(project).root / stored.FILE


def opens(token):
    return bool(links.visitor(token, Person(VERA)).visits)


def test_a_token_opens_its_project_and_no_other_text_does(linked):
    token = linked.token
    assert links.visitor(token, Person(VERA)) == Person(VERA, visits=linked.project)
    other = "A" if token[-1] != "A" else "B"
    for wrong in (
        token[:-1], token + "A", token[:-1] + other, linked.project, "", "\0", "é" * 48,
        "../" + token[3:], token.swapcase(), token[16:], f"{linked.project} ",
    ):  # fmt: skip
        assert links.visitor(wrong, Person(VERA)) == Person("")


def test_a_token_is_long_enough_never_the_same_and_not_kept(linked):
    tokens = {links.make(linked.project) for _ in range(5)} | {linked.token}
    secrets = {token.removeprefix(linked.project) for token in tokens}
    assert len(secrets) == 6 and all(len(secret) >= 22 for secret in secrets)  # 128 bits or more
    kept = file_of(linked.project).read_text()
    assert not [secret for secret in secrets if secret in kept]


def test_a_link_ends_on_its_day_or_when_it_is_taken_back(linked):
    [link] = links.links_of(linked.project)
    left = datetime.fromisoformat(link.until) - datetime.now(UTC)
    assert abs(left - timedelta(days=config.LINK_DAYS)) < timedelta(minutes=5)
    second = links.make(linked.project, 7)
    links.revoke(linked.project, link.id)
    assert not opens(linked.token) and opens(second)
    record = json.loads(file_of(linked.project).read_text())
    record["links"][1]["until"] = "2020-01-01T00:00:00+00:00"
    file_of(linked.project).write_text(json.dumps(record))
    assert not opens(second)
    assert [link.is_open for link in links.links_of(linked.project)] == [False, False]


@pytest.mark.parametrize("days", [0, -1, 31, 36_500])
def test_only_the_days_to_choose_from_are_taken(linked, days):
    with pytest.raises(SettingInvalid, match=f"{days} days"):
        links.make(linked.project, days)


def test_only_who_may_share_a_project_makes_sees_and_takes_back_its_links(linked, asks, visits):
    link = links.links_of(linked.project)[0]

    def refused():
        for act in (
            lambda: links.make(linked.project),
            lambda: links.links_of(linked.project),
            lambda: links.revoke(linked.project, link.id),
        ):
            with pytest.raises(ProjectError):
                act()

    asks(Person(VERA))
    refused()
    visits(linked.token, Person(VERA))
    refused()
    assert not links.may_make(linked.project)
    visits(linked.token, Person(ANNA))  # the owner who opens their own link looks, too
    refused()
    asks(Person("root@lab.example", is_admin=True))
    links.revoke(linked.project, link.id)
    assert not opens(linked.token)


def test_where_nobody_signs_in_whoever_works_there_makes_links(trained, asks):
    asks(None)
    token = links.make(trained)
    assert links.visitor(token, None) == Person("", visits=trained)


def test_a_link_lets_nobody_in_who_is_not_let_in(linked):
    assert links.visitor(linked.token, Person("")) == Person("")


def test_who_used_a_link_is_noted_by_name(linked, asks, visits):
    for who in (VERA, VERA, "carl@lab.example"):
        visits(linked.token, Person(who))
        links.enter(linked.token, "somebody else")
    visits(linked.token)
    links.enter(linked.token, " Vera \n of  lab ")
    links.enter(linked.token, "")
    asks(Person(ANNA))
    [link] = links.links_of(linked.project)
    assert [(v.name, v.signed_in, v.times) for v in link.visitors] == [
        (VERA, True, 2), ("carl@lab.example", True, 1), ("Vera of lab", False, 1), ("", False, 1),
    ]  # fmt: skip


def test_names_beyond_the_most_are_not_kept(linked, visits, asks, monkeypatch):
    monkeypatch.setattr(config, "MOST_VISITORS", 3)
    visits(linked.token)
    for i in range(9):
        links.enter(linked.token, f"name {i}")
    links.enter(linked.token, "name 1")
    asks(Person(ANNA))
    [link] = links.links_of(linked.project)
    assert {v.name: v.times for v in link.visitors} == {"name 0": 1, "name 1": 2, "name 2": 1}


def test_too_many_open_links_are_refused_and_closed_ones_make_room(linked, monkeypatch):
    monkeypatch.setattr(config, "MOST_LINKS", 3)
    for _ in range(2):
        links.make(linked.project)
    with pytest.raises(ProjectError, match="3 links that are open"):
        links.make(linked.project)
    links.revoke(linked.project, links.links_of(linked.project)[0].id)
    token = links.make(linked.project)
    assert opens(token) and opens(linked.token) and len(links.links_of(linked.project)) == 3


DAMAGES = [
    "", "{", "[]", "null", '{"links": 3}', '{"links": [3]}', '{"links": [{"id": "x"}]}',
    "[" * 100_000, "\0" * 99,
]  # fmt: skip


@pytest.mark.parametrize("text", DAMAGES, ids=range(len(DAMAGES)))
def test_damaged_links_open_nothing_and_new_ones_can_be_made(linked, text):
    file_of(linked.project).write_text(text)
    assert not opens(linked.token) and links.links_of(linked.project) == []
    assert opens(links.make(linked.project))


def test_a_copy_and_a_project_file_have_no_links(linked, quick):
    copy = library.duplicate(linked.project)
    assert not file_of(copy).exists()
    with library.save(linked.project).open("rb") as packed:
        assert not file_of(library.take_in(packed)).exists()
