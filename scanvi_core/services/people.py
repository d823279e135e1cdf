"""Who is at work: the name that is written beside every change of the labels."""

from collections.abc import Callable

from scanvi_core.project import presence
from scanvi_core.project.events import clean_label


def ask(who: Callable[[], str]) -> None:
    """Let `who` say, on the thread of a change, which user makes it; empty: the account's name."""
    presence.ask_who(who)


def account() -> str:
    """Return the name that is written where nobody gave one."""
    return presence.this_user()


def clean(name: str) -> str:
    """Return a name fit to be written down; empty where none was given.

    Raises
    ------
    SettingInvalid
        If it is too long.
    """
    return clean_label(name) if name.strip() else ""
