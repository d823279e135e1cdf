"""What is proven about the steps of a label history, in words."""

from datetime import datetime

from scanvi_core.keys import one_line
from scanvi_core.plurals import count
from scanvi_core.project.label_log.events import Event
from scanvi_core.project.label_log.exchange.merge import COMBINE
from scanvi_core.project.label_log.storage.signing import (
    ALTERED,
    BROUGHT_AT,
    BROUGHT_BY,
    CLAIMED,
    ELSEWHERE,
    SIGNED_IN,
    UNSIGNED,
    VERIFIED,
    VIA,
)
from scanvi_core.project.label_log.store import LabelStore

NAMED = 3  # people in a sentence
TYPED = "name as typed"
HELP = (
    "“verified”: written by this installation, at this time of its clock, in this order, and "
    f"unchanged since; the name is the address signed in with. “verified, {TYPED}”: the same, but "
    "nobody signed in, so the name is only what was typed. “brought by”: it came from a file; who "
    "brought it, and when, is verified, and what it says of who and when is a claim. “not "
    "signed”: made before steps were signed. “other key”: signed by another installation. "
    "“altered”: this step or one before it was changed by something else than this program."
)


def is_verified(event: Event) -> bool:
    """Tell whether a step was written by this installation and not changed since."""
    return event.proof == VERIFIED


def in_short(event: Event) -> str:
    """Return in a few words what is proven about a step."""
    if event.proof == CLAIMED:
        return f"brought by {_named(event.origin[BROUGHT_BY])}, {_when(event.origin[BROUGHT_AT])}"
    if event.proof == VERIFIED and event.kind == COMBINE:
        return f"{VERIFIED}; the work taken over is claimed"
    if event.proof == VERIFIED and not event.origin.get(SIGNED_IN):
        return f"{VERIFIED}, {TYPED}"
    return event.proof


def in_full(event: Event) -> str:
    """Return in a sentence what is proven about a step, and what it claims."""
    claim = f"{_named(event.actor)}, {_when(event.time)}"
    if event.proof == CLAIMED:
        return f"{_bringers(event)} says: {claim}. Who that was and when cannot be verified here."
    if event.proof == UNSIGNED:
        return f"Not signed: made before steps were signed. Says: {claim}."
    if event.proof == ELSEWHERE:
        return f"Signed by another installation, whose key is not here. Says: {claim}."
    if event.proof == ALTERED:
        return (
            "Altered: this step, or one before it, is not as it was signed, or was put in by "
            f"something else than this program. Says: {claim}."
        )
    how = "signed in" if event.origin.get(SIGNED_IN) else TYPED
    about = f"Verified: written by this installation for {claim} ({how}), and unchanged since."
    if event.kind == COMBINE:
        others = _named(event.payload["with"])
        about += f" That its work is of {others} is what the other history claims."
    return about


def warning(store: LabelStore, entries: list[Event]) -> str:
    """Return what is wrong with the history as a whole; empty where nothing is."""
    altered = [event.seq for event in entries if event.proof == ALTERED]
    sentences = []
    if altered:
        sentences.append(
            f"Step {altered[0]} of this history is not as this program wrote it, or follows one "
            f"that was taken out: {len(altered):,} of its steps cannot be verified."
        )
    if store.cut:
        sentences.append("The newest steps of this history were taken off by something else.")
    return " ".join(sentences)


def brought(entries: list[Event]) -> str:
    """Return in a sentence how much of a history is only claimed; empty where nothing is."""
    came = [event for event in entries if event.proof == CLAIMED]
    if not came:
        return ""
    names = list(dict.fromkeys(_named(event.actor) for event in came))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return (
        f"{count(len(came), 'step')} of its history came in a file. That this is the work of "
        f"{', '.join(names[:NAMED])}{more} is what the file says; it is not verified here."
    )


def _bringers(event: Event) -> str:
    """Return who brought a step, the last first; those before are claims of a claim."""
    origin = event.origin
    how = "signed in" if origin.get(SIGNED_IN) else TYPED
    first = f"Brought by {_named(origin[BROUGHT_BY])} ({how}), {_when(origin[BROUGHT_AT])};"
    before = (
        f" says: brought by {_named(who)}, {_when(at)};" for who, at in origin.get(VIA, ())[::-1]
    )
    return first + "".join(before)


def _named(who: str) -> str:
    return one_line(who) or "nobody"


def moment(time: str) -> datetime | None:
    """Return a moment in local time; None for what was put in and is none."""
    try:
        return datetime.fromisoformat(time).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _when(time: str) -> str:
    """Return a moment as people here write it."""
    here = moment(time)
    return one_line(time) if here is None else f"{here.day} {here:%b %Y %H:%M}"
