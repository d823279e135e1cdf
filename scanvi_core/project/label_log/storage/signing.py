"""Who vouches for an entry of a label log: the signature of this installation.

Each entry is signed as it is written: HMAC-SHA256 (RFC 2104) of the signature before it, its
number, its digest (which covers what it says and all before it) and its origin. The key belongs to
the installation and lies outside of every project, so that whoever can write into a project or its
database, but cannot read the key, can neither make up nor change, reorder or take out a step
unseen. The last entry is signed once more beside the log, so that taking off the newest steps is
seen, too; putting back a whole older log is not.
"""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from scanvi_core import runtime
from scanvi_core.errors import ProjectError, reason_of
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.locks import at_work, is_signed_in, this_user

KEY_VARIABLE = "SCANVI_SIGNING_KEY_FILE"
KEY_NAME = "signing.key"
KEY_BYTES = 32
SIGNED_IN, BROUGHT_BY, BROUGHT_AT, VIA = "signed_in", "brought_by", "brought_at", "via"
MAX_VIA = 8
# What is known of an entry: written here; brought here, and what it says is a claim; of before
# there were signatures; signed by another installation; not as it was signed.
VERIFIED, CLAIMED, UNSIGNED, ELSEWHERE, ALTERED = (
    "verified", "claimed", "not signed", "other key", "altered",
)  # fmt: skip


def key_path() -> Path:
    """Return where the key of this installation lies: beside the projects, in none of them."""
    return Path(os.environ.get(KEY_VARIABLE) or runtime.home() / KEY_NAME)


class Signer:
    """Signs entries with the key of this installation, and tells which it signed."""

    def __init__(self) -> None:
        self._path = key_path()
        self._hmac: hmac.HMAC | None = None
        self._name = ""

    def sign(self, previous: str, record: Record) -> str:
        """Return the signature of an entry after the one signed `previous`.

        The first signature of an installation makes its key.

        Raises
        ------
        ProjectError
            If there is no key that can be used, and none can be made.
        """
        if not self._has_key():
            _make_key(self._path)
            self._read_key()
        return self._signature(previous, record.seq, record.digest, *_about(record))

    def proof(self, previous: str, record: Record) -> str:
        """Return what is known of an entry after the one signed `previous`: `VERIFIED`, ...."""
        if not record.mac:
            return ALTERED if previous else UNSIGNED
        if not self._is_ours(record.mac):
            return ELSEWHERE
        if not hmac.compare_digest(record.mac, self.sign(previous, record)):
            return ALTERED
        return CLAIMED if is_brought(record.origin) else VERIFIED

    def head(self, seq: int, mac: str) -> str:
        """Return the signature that says which entry is the last; empty where that is not ours."""
        return self._signature("head", seq, mac) if self._is_ours(mac) else ""

    def head_of(self, records: Sequence[Record]) -> str:
        """Return the same for a whole log."""
        return self.head(records[-1].seq, records[-1].mac) if records else ""

    def is_cut(self, stored: str, seq: int, mac: str) -> bool:
        """Tell whether the last entry is another one than the signature `stored` says."""
        return (self._is_ours(stored) or self._is_ours(mac)) and stored != self.head(seq, mac)

    def _is_ours(self, mac: str) -> bool:
        return bool(mac) and self._has_key() and mac.startswith(f"{self._name}:")

    def _signature(self, *said: str | int) -> str:
        """Return the signature of some words, none of which holds a line break."""
        if self._hmac is None:
            raise ValueError("there is no key")
        mac = self._hmac.copy()
        mac.update("\n".join(map(str, said)).encode())
        return f"{self._name}:{mac.hexdigest()}"

    def _has_key(self) -> bool:
        """Tell whether there is a key; one that cannot be used stops who signs, not who reads."""
        if self._hmac is None:
            with suppress(ProjectError):
                self._read_key()
        return self._hmac is not None

    def _read_key(self) -> None:
        """Raise `ProjectError` where there is no key that can be used."""
        try:
            key = bytes.fromhex(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            why = reason_of(error) if isinstance(error, OSError) else "it holds no key"
            raise _unusable(self._path, why) from error
        if len(key) < KEY_BYTES:
            raise _unusable(self._path, f"it holds {len(key)} bytes")
        self._hmac = hmac.new(key, digestmod="sha256")
        self._name = hashlib.sha256(b"name of key " + key).hexdigest()[:8]  # says nothing of it


def is_brought(origin: Mapping[str, Any] | None) -> bool:
    """Tell whether an entry came from elsewhere."""
    return origin is not None and BROUGHT_BY in origin


class Bringer(NamedTuple):
    """Who takes a history in, when (UTC, ISO text), and whether they had signed in."""

    who: str
    when: str
    signed_in: bool

    @classmethod
    def now(cls, otherwise: str = "") -> "Bringer":
        """Return who is at work on this thread, `otherwise` where nobody said so."""
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        return cls(at_work() or otherwise or this_user(), when, is_signed_in())


def brought(origin: Mapping[str, Any] | None, bringer: Bringer) -> dict[str, Any]:
    """Return the origin of an entry as it is brought; who brought it before stays a claim."""
    mark = {BROUGHT_BY: bringer.who, BROUGHT_AT: bringer.when, SIGNED_IN: bringer.signed_in}
    if origin is None or not is_brought(origin):
        return mark
    via = [*origin.get(VIA, ()), [origin[BROUGHT_BY], origin[BROUGHT_AT]]]
    return mark | {VIA: via[-MAX_VIA:]}


def _about(record: Record) -> tuple[str, str]:
    """Return what the digest of an entry leaves out: its origin, and the logs in it."""
    origin = json.dumps(record.origin, sort_keys=True) if record.origin is not None else ""
    logs = record.payload.get("logs")
    return origin, hashlib.sha256(json.dumps(logs).encode()).hexdigest() if logs else ""


def _make_key(path: Path) -> None:
    """Make a key, readable by its owner alone; of several processes the first one wins."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 600
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        _put(Path(name), path)
    except OSError as error:
        raise _unusable(path, f"it cannot be written: {reason_of(error)}") from error


def _put(fresh: Path, path: Path) -> None:
    """Give a file its name, unless there is one of that name."""
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    except OSError:  # a disk without links
        if not path.exists():
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _unusable(path: Path, why: str) -> ProjectError:
    return ProjectError(
        f"The key that signs the label history cannot be used: {path}: {why}.",
        "Put it back from a copy. Where there is none a new one is made, and what was signed "
        "before can no longer be verified.",
    )
