"""The window grows while the line is quick and shrinks when it is not; a rate is kept."""

import pytest

from bridge.sparkplug.pacing import Allowance, Window


def through(window: Window, *, took_ms: int) -> int:
    """Fill the window and fence all of it; the bytes that fitted."""
    sent = 0
    while window.is_open:
        window.published(1_000)
        sent += 1_000
    window.fenced(sent, took_ms)
    return sent


def test_a_quick_line_doubles_the_window_to_a_bound() -> None:
    window = Window(keep_alive_ms=10_000)
    sizes = [through(window, took_ms=10) for _ in range(12)]
    assert sizes[1] >= 1.9 * sizes[0]
    assert sizes[-1] == sizes[-2] <= 4.2 * (1 << 20)


def test_a_slow_line_halves_it_but_never_to_nothing() -> None:
    window = Window(keep_alive_ms=10_000)
    sizes = [through(window, took_ms=2_000) for _ in range(12)]
    assert sizes[1] <= 0.6 * sizes[0]
    assert sizes[-1] >= 8_000


def test_the_target_is_a_quarter_of_a_short_keep_alive() -> None:
    window = Window(keep_alive_ms=1_000)
    first = through(window, took_ms=300)  # within 500 ms, beyond 250 ms
    assert through(window, took_ms=10) < first


def test_a_window_that_was_never_full_does_not_grow() -> None:
    window = Window(keep_alive_ms=10_000)
    room = window.room
    for _ in range(20):
        window.published(100)
        window.fenced(100, 1)
    assert window.room == room


@pytest.mark.parametrize("rate", [0.5, 3.0, 100.0, 5_000.0, 1_000_000.0])
def test_a_rate_is_kept_and_given_out_in_helpings(rate: float) -> None:
    allowance = Allowance(rate, 0)
    taken, helpings = 0, 0
    for now_ms in range(0, 20_000, 2):
        most = allowance.take_up_to(10**9, now_ms)
        if most:
            taken += most
            helpings += 1
            allowance.used(most)
    assert taken == pytest.approx(rate * 20, rel=0.1, abs=2)
    assert helpings <= 20 * 20 + 2


def test_without_a_rate_everything_may_go() -> None:
    allowance = Allowance(None, 0)
    assert allowance.take_up_to(123, 0) == 123
    assert allowance.wait_ms() == 0


def test_the_wait_ends_when_something_may_go() -> None:
    allowance = Allowance(40.0, 0)
    allowance.used(allowance.take_up_to(1_000, 0))
    wait_ms = allowance.wait_ms()
    assert allowance.take_up_to(1_000, wait_ms - 2) == 0
    assert allowance.take_up_to(1_000, wait_ms) > 0
