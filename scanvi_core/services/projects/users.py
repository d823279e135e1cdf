"""Who is at work: the name beside every change of the labels; who may enter a team's server."""

import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from scanvi_core.errors import SettingInvalid
from scanvi_core.project import access, locks
from scanvi_core.project.access import Person
from scanvi_core.project.names import clean_label

LOGIN_VARIABLE = "SCANVI_REQUIRE_LOGIN"  # set on servers: without a working sign-in nobody enters
ALLOWED_VARIABLE = "SCANVI_ALLOWED_EMAILS"
ADMINS_VARIABLE = "SCANVI_ADMINS"
ANYONE = "*"
# Plain letters only: others look like them, and some turn into them when case is ignored.
ADDRESS = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?")

__all__ = ["Person"]


def ask(who: Callable[[], str], signed_in: Callable[[], bool]) -> None:
    """Let `who` say, on the thread of a change, which user makes it; empty: the account's name.

    `signed_in` tells whether a sign-in proves it.
    """
    locks.ask_who(who, signed_in)


def ask_person(who: Callable[[], Person | None]) -> None:
    """Let `who` say, on the thread where a project is asked for, who signed in; None: nobody."""
    access.ask(who)


def check_settings() -> None:
    """Raise `SettingInvalid` when the variables about people hold what nobody can mean."""
    _admins()
    access.unowned()


def account() -> str:
    """Return the name that is written where nobody gave one."""
    return locks.this_user()


def clean(name: str) -> str:
    """Return a name fit to be written down; empty where none was given.

    Raises
    ------
    SettingInvalid
        If it is too long.
    """
    return clean_label(name) if name.strip() else ""


def must_sign_in() -> bool:
    """Tell whether this server lets nobody in without a sign-in, also where none is set up."""
    return bool(os.environ.get(LOGIN_VARIABLE, "").strip())


def address(text: str) -> str:
    """Return an e-mail address in the one form it is compared in; empty where it is none."""
    lowered = text.lower() if text.isascii() else ""
    return lowered if ADDRESS.fullmatch(lowered) else ""


def name_of(claims: Mapping[str, Any]) -> str:
    """Return the name that goes into the history for what a sign-in says about somebody.

    The e-mail address, unless the provider says that it is not verified; then the name, unless it
    reads like an address; and where there is none either, the provider's own number.

    Raises
    ------
    SettingInvalid
        If it is too long.
    """
    called = str(claims.get("name") or "")
    if "@" in unicodedata.normalize("NFKC", called):
        called = ""
    email = str(claims["email"]) if _email(claims) else ""
    return clean(email or called or str(claims.get("sub") or ""))


def person_of(claims: Mapping[str, Any]) -> Person:
    """Return who signed in: the verified address, else the provider and its own number.

    Names that people give themselves open nothing.

    Raises
    ------
    SettingInvalid
        If ``SCANVI_ADMINS`` holds something else than addresses.
    """
    email, number = _email(claims), str(claims.get("sub") or "")
    name = email or (f"{number} ({claims.get('iss') or 'sign-in'})" if number else "")
    return Person(name, bool(email) and email in _admins())


def may_enter(claims: Mapping[str, Any]) -> bool:
    """Tell whether ``SCANVI_ALLOWED_EMAILS`` lets somebody in who signed in.

    It holds addresses and domains, apart by commas or blanks; a domain means just itself, not what
    lies below it. Empty or ``*``: everybody whom the provider lets sign in.
    """
    listed = _listed(ALLOWED_VARIABLE)
    if not listed or ANYONE in listed:
        return True
    email = _email(claims)
    domain = email.rpartition("@")[2]
    return bool(email) and not listed.isdisjoint({email, domain, f"@{domain}"})


def _admins() -> frozenset[str]:
    """Return the addresses of those to whom every project is open."""
    return _only_addresses(_listed(ADMINS_VARIABLE))


def _listed(variable: str) -> frozenset[str]:
    return _entries(os.environ.get(variable, ""))


@lru_cache  # asked for by every look at a project
def _entries(text: str) -> frozenset[str]:
    return frozenset(entry.lower() for entry in re.split(r"[\s,;]+", text) if entry)


@lru_cache
def _only_addresses(listed: frozenset[str]) -> frozenset[str]:
    wrong = sorted(entry for entry in listed if address(entry) != entry)
    if wrong:
        raise SettingInvalid(
            f"{ADMINS_VARIABLE} holds {wrong[0]!r}, which is no e-mail address.",
            "Write the full addresses of the administrators, apart by commas.",
        )
    return listed


def _email(claims: Mapping[str, Any]) -> str:
    """Return the address of a sign-in, empty where the provider did not verify it."""
    verified = str(claims.get("email_verified", True)).lower() == "true"
    return address(str(claims.get("email") or "")) if verified else ""
