from hypothesis import given
from hypothesis import strategies as st

from trading.exchange.backoff import HEALTHY_S, failures_after, reconnect_delay

jitters = st.floats(0, 1)


def test_the_first_reconnect_is_at_once() -> None:
    assert reconnect_delay(0, 0.7) == 0


@given(failures=st.integers(1, 10_000), jitter=jitters)
def test_later_ones_wait_but_never_longer_than_half_a_minute(failures: int, jitter: float) -> None:
    assert 0.25 <= reconnect_delay(failures, jitter) <= 30


@given(failures=st.integers(0, 40), jitter=jitters)
def test_each_failure_waits_at_least_as_long_as_the_last(failures: int, jitter: float) -> None:
    assert reconnect_delay(failures, jitter) <= reconnect_delay(failures + 1, jitter)


def test_jitter_spreads_the_returns() -> None:
    assert reconnect_delay(4, 1.0) == 2.0
    assert reconnect_delay(4, 0.0) == 4.0


def test_a_connection_that_held_starts_the_count_anew() -> None:
    assert failures_after(7, HEALTHY_S) == 0
    assert failures_after(7, HEALTHY_S - 1) == 8


def test_a_server_that_drops_every_connection_sees_few_of_them() -> None:
    """Binance bans an address after 300 connections in 5 minutes."""
    elapsed, failures, connections = 0.0, 0, 0
    while elapsed < 300:
        connections += 1
        failures = failures_after(failures, 0.0)
        elapsed += reconnect_delay(failures, 1.0)

    assert connections < 50
