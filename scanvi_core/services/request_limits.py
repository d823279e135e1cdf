"""How often one client may ask for something costly: token buckets, in memory.

A bucket holds so many turns, and one more comes every few seconds. Only the clients seen last are
remembered, so that many addresses take no memory.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from scanvi_core import config
from scanvi_core.errors import TooOften
from scanvi_core.project import access

SIGN_IN, UPLOAD, DOWNLOAD, PROJECT = "sign-in", "upload", "download", "project"
REMARK = "remark"
MOST_CLIENTS = 10_000
IPV6_CLIENT_BITS = 64  # one client has at least this much of the address space


class Buckets:
    """One bucket per client; safe for threads.

    Parameters
    ----------
    at_once
        Turns in a full bucket.
    every_s
        Seconds until one more comes.
    now
        The clock, in seconds.
    """

    def __init__(
        self, at_once: int, every_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once, self._every_s, self._now = at_once, every_s, now
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()  # turns left, and when
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Take a turn of a client.

        Raises
        ------
        TooOften
            If none is left.
        """
        with self._lock:
            now = self._now()
            left, since = self._seen.pop(client, (float(self._at_once), now))
            left = min(self._at_once, left + (now - since) / self._every_s)
            taken = left >= 1
            self._seen[client] = left - taken, now
            while len(self._seen) > MOST_CLIENTS:
                self._seen.popitem(last=False)
        if not taken:
            raise TooOften((1 - left) * self._every_s)


_buckets = {what: Buckets(*config.TURNS[what]) for what in config.TURNS}


def take(what: str, address: str | None = None) -> None:
    """Take a turn of who asks: the person who signed in, else the address, or what stands for it.

    With neither, as on a computer of one's own, nothing is counted.

    Raises
    ------
    TooOften
        If they have none left.
    """
    person = access.asking()
    if person is not None and person.name:
        _buckets[what].take(f"person {person.name}")
    elif address:
        _buckets[what].take(_client(address))


def _client(address: str) -> str:
    try:
        ip = ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if isinstance(ip, IPv6Address):
        return f"{int(ip) >> (128 - IPV6_CLIENT_BITS):x}::"
    return str(ip)
