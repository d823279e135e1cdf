"""Who may enter, under which name, and that a server without a working sign-in is shut."""

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from scanvi_core import runtime
from scanvi_core.errors import SettingInvalid
from scanvi_core.services.projects import users
from tests import ROOT

MAIL = {"email": "Anna@Lab.example", "name": "Anna", "sub": "7"}


@pytest.mark.parametrize(
    ("listed", "enters"),
    [
        ("", True),
        ("*", True),
        ("lab.example", True),
        ("@lab.example", True),
        ("other.example, anna@lab.example", True),
        ("other.example anna@lab.example", True),
        ("other.example", False),
        ("example", False),
        ("bob@lab.example", False),
        ("anna", False),
    ],
)
def test_addresses_and_domains_on_the_list_open_the_server(monkeypatch, listed, enters):
    monkeypatch.setenv(users.ALLOWED_VARIABLE, listed)
    assert users.may_enter(MAIL) is enters


@pytest.mark.parametrize(
    "claims",
    [{"email": ""}, {"email": None}, {"email": "anna@lab.example@evil.example"},
     {"email": "anna@sub.lab.example"}, {"email_verified": False}, {"email_verified": "false"}],
)  # fmt: skip
def test_an_address_that_is_none_or_not_verified_is_not_on_the_list(monkeypatch, claims):
    monkeypatch.setenv(users.ALLOWED_VARIABLE, "lab.example")
    assert not users.may_enter(MAIL | claims)


@pytest.mark.parametrize(
    "email",
    ["lab.example", "@lab.example", "anna@", "anna", " anna@lab.example", "anna@lab.example\n",
     "an na@lab.example", "anna\u200b@lab.example", "anna@lab.example\u00ad", "anna@lab.example\0",
     "anna@\u212aab.example", "\u0430nna@lab.example", "anna\uff20lab.example",
     "anna@lab.example.", "anna@@lab.example", "a,b@lab.example", "<anna@lab.example>",
     "\"anna\"@lab.example",
     "a" * 65 + "@lab.example"],
)  # fmt: skip
def test_what_is_no_plain_address_is_not_on_the_list(monkeypatch, email):
    listed = "lab.example, kab.example, anna@lab.example"
    monkeypatch.setenv(users.ALLOWED_VARIABLE, listed)
    assert not users.may_enter({"email": email})
    assert users.person_of({"email": email, "sub": "7"}).name == "7 (sign-in)"
    assert users.name_of({"email": email, "sub": "7"}) == "7"


def test_upper_and_lower_case_of_an_address_are_the_same_person(monkeypatch):
    monkeypatch.setenv(users.ALLOWED_VARIABLE, "LAB.example")
    monkeypatch.setenv(users.ADMINS_VARIABLE, "Anna@LAB.example")
    assert users.may_enter(MAIL)
    assert users.person_of(MAIL) == users.Person("anna@lab.example", is_admin=True)


@pytest.mark.parametrize(
    "claims", [{"email_verified": False}, {"email": None}, {"email": "", "iss": "https://a"}]
)
def test_who_has_no_verified_address_is_known_by_the_number_of_the_provider(claims, monkeypatch):
    monkeypatch.setenv(users.ADMINS_VARIABLE, "anna@lab.example")
    person = users.person_of(MAIL | claims)
    assert person == users.Person(f"7 ({claims.get('iss', 'sign-in')})")


@pytest.mark.parametrize("name", ["anna@lab.example", "anna\uff20lab.example", "Anna <a@b.c>"])
def test_a_name_that_reads_like_an_address_is_not_written_into_the_history(name):
    assert users.name_of({"email_verified": False, "name": name, "sub": "7"}) == "7"


@pytest.mark.parametrize("listed", ["lab.example", "*", "anna@lab.example, bob"])
def test_administrators_are_named_by_their_address(monkeypatch, tmp_path, listed):
    monkeypatch.setenv(users.ADMINS_VARIABLE, listed)
    with pytest.raises(SettingInvalid, match=users.ADMINS_VARIABLE):
        users.check_settings()
    asking = app(monkeypatch, tmp_path)
    asking.secrets["auth"] = {"redirect_uri": "d", "cookie_secret": "e", "client_id": "a"}
    asking.run()
    assert users.ADMINS_VARIABLE in asking.error[0].value.replace("\\", "")
    assert [button.label for button in asking.button] == []


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({}, "Anna@Lab.example"),
        ({"email_verified": "true"}, "Anna@Lab.example"),
        ({"email_verified": False}, "Anna"),
        ({"email": None}, "Anna"),
        ({"email": "", "name": ""}, "7"),
    ],
)
def test_the_history_names_people_by_their_address_where_it_is_verified(claims, name):
    assert users.name_of(MAIL | claims) == name


def app(monkeypatch, tmp_path):
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path))
    monkeypatch.chdir(ROOT)
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)


def test_a_server_that_must_ask_but_cannot_shows_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv(users.LOGIN_VARIABLE, "1")
    shut = app(monkeypatch, tmp_path).run()
    assert [error.value.partition("\n")[0] for error in shut.error] == [
        "Signing in is not set up on this server\\."
    ]
    assert [button.label for button in shut.button] == []


def test_secrets_nobody_can_read_shut_the_server(monkeypatch, tmp_path):
    broken = tmp_path / "secrets.toml"
    broken.write_text("[auth")
    shut, before = app(monkeypatch, tmp_path), config.get_option("secrets.files")
    config.set_option("secrets.files", [str(broken)])
    try:
        shut.run()
    finally:
        config.set_option("secrets.files", before)
    assert len(shut.error) == 1
    assert [button.label for button in shut.button] == []


def test_a_name_per_provider_is_a_button_per_provider(monkeypatch, tmp_path):
    asking = app(monkeypatch, tmp_path)
    known = {"client_id": "a", "client_secret": "b", "server_metadata_url": "c"}
    asking.secrets["auth"] = {"redirect_uri": "d", "cookie_secret": "e", "google": known}
    asking.run()
    assert [button.label for button in asking.button] == ["Sign in with Google"]


def test_a_computer_of_ones_own_asks_nobody(monkeypatch, tmp_path):
    own = app(monkeypatch, tmp_path).run()
    assert "Open the example" in [button.label for button in own.button]
    assert not any("Sign" in button.label for button in own.button)
