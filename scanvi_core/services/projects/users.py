"""Who is at work: the name beside every change of the labels; who may enter a team's server."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from scanvi_core.project import locks
from scanvi_core.project.names import clean_label

LOGIN_VARIABLE = "SCANVI_REQUIRE_LOGIN"  # set on servers: without a working sign-in nobody enters
ALLOWED_VARIABLE = "SCANVI_ALLOWED_EMAILS"
ANYONE = "*"


def ask(who: Callable[[], str], signed_in: Callable[[], bool]) -> None:
    """Let `who` say, on the thread of a change, which user makes it; empty: the account's name.

    `signed_in` tells whether a sign-in proves it.
    """
    locks.ask_who(who, signed_in)


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


def name_of(claims: Mapping[str, Any]) -> str:
    """Return the name that goes into the history for what a sign-in says about somebody.

    The e-mail address, unless the provider says that it is not verified; then the name, and where
    there is none either, the provider's own number.

    Raises
    ------
    SettingInvalid
        If it is too long.
    """
    said = (_email(claims), claims.get("name"), claims.get("sub"))
    return clean(next((str(word) for word in said if word), ""))


def may_enter(claims: Mapping[str, Any]) -> bool:
    """Tell whether ``SCANVI_ALLOWED_EMAILS`` lets somebody in who signed in.

    It holds addresses and domains, apart by commas or blanks; a domain means just itself, not what
    lies below it. Empty or ``*``: everybody whom the provider lets sign in.
    """
    listed = {entry.casefold() for entry in re.split(r"[\s,;]+", _allowed()) if entry}
    if not listed or ANYONE in listed:
        return True
    email = _email(claims).casefold()
    domain = email.rpartition("@")[2]
    return bool(email) and not listed.isdisjoint({email, domain, f"@{domain}"})


def _allowed() -> str:
    return os.environ.get(ALLOWED_VARIABLE, "")


def _email(claims: Mapping[str, Any]) -> str:
    """Return the address of a sign-in, empty where the provider did not verify it."""
    verified = str(claims.get("email_verified", True)).casefold() == "true"
    return str(claims.get("email") or "").strip() if verified else ""
