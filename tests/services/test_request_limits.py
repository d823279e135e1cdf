"""Turns of clients: how many, how fast they come back, and what is remembered of whom."""

import pytest

from scanvi_core.errors import (
    TooOften,
)
from scanvi_core.services import request_limits
from scanvi_core.services.request_limits import Buckets


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def takes(buckets, client):
    try:
        buckets.take(client)
    except TooOften as error:
        return error.wait_s
    return 0


def test_a_full_bucket_holds_so_many_turns_and_one_more_comes_every_few_seconds():
    clock = Clock()
    buckets = Buckets(3, 10.0, clock)
    assert [takes(buckets, "a") for _ in range(5)] == [0, 0, 0, 10, 10]
    assert takes(buckets, "b") == 0
    clock.now += 4
    assert takes(buckets, "a") == 6
    clock.now += 6
    assert [takes(buckets, "a"), takes(buckets, "a")] == [0, 10]
    clock.now += 1e6
    assert [takes(buckets, "a") for _ in range(4)] == [0, 0, 0, 10]


def test_many_clients_take_no_memory():
    buckets = Buckets(1, 10.0, Clock())
    for i in range(request_limits.MOST_CLIENTS + 50):
        buckets.take(f"client {i}")
    assert len(buckets._seen) == request_limits.MOST_CLIENTS
    assert takes(buckets, f"client {request_limits.MOST_CLIENTS + 49}") == 10


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("unknown", "unknown", True),
    ],
)
def test_a_client_is_an_address_or_the_net_of_one(one, other, same):
    assert (request_limits._client(one) == request_limits._client(other)) is same


def test_a_sentence_says_how_long_to_wait():
    assert str(TooOften(0.2)).endswith("Try again in 1 second.")
    assert str(TooOften(11.2)).endswith("Try again in 12 seconds.")
