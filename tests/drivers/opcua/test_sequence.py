"""Sequence numbers and queue sizes of a subscription."""

import pytest

from drivers.opcua.config import AUTO
from drivers.opcua.items import queue_size
from drivers.opcua.subscription import following, steps_ahead

LAST = 0xFFFF_FFFF


@pytest.mark.parametrize(
    ("number", "expected", "ahead"),
    [(1, 1, 0), (3, 1, 2), (1, 3, -2), (1, LAST, 1), (LAST, 1, -1), (2, LAST - 1, 3)],
)
def test_steps_ahead_knows_that_1_follows_the_last_number(number, expected, ahead):
    assert steps_ahead(number, expected) == ahead


def test_following_leaves_out_0():
    assert [following(1), following(LAST - 1), following(LAST)] == [2, LAST, 1]


@pytest.mark.parametrize(
    ("queue", "scan_ms", "interval_ms", "size"),
    [(AUTO, 1_000, 500, 16), (AUTO, 50, 500, 310), (AUTO, 60_000, 500, 2), (7, 50, 500, 7)],
)
def test_automatic_queues_span_the_replacement_of_a_connection(queue, scan_ms, interval_ms, size):
    assert queue_size(queue, scan_ms, interval_ms) == size


def test_automatic_queues_are_bounded():
    assert queue_size(AUTO, 1, 60_000) == 1_000
