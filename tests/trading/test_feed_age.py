"""Whether a stream can be trusted is judged by its data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.consumer.feed import FeedAge

LIMIT, HOLD = 5.0, 10.0
SYMBOL = "BTCUSDT"


def feed() -> FeedAge:
    return FeedAge(limit_s=LIMIT, hold_down_s=HOLD)


def test_symbol_that_never_delivers_is_stale_after_the_limit() -> None:
    age = feed()
    assert age.judge([SYMBOL], 100) == (set(), set())
    assert age.judge([SYMBOL], 105) == (set(), set())
    assert age.judge([SYMBOL], 105.1) == ({SYMBOL}, set())
    assert age.stale == {SYMBOL}


def test_it_is_announced_once() -> None:
    age = feed()
    age.judge([SYMBOL], 0)
    assert age.judge([SYMBOL], 6) == ({SYMBOL}, set())
    assert age.judge([SYMBOL], 7) == (set(), set())


def test_one_silent_symbol_does_not_make_another_stale() -> None:
    age = feed()
    age.judge([SYMBOL, "ETHUSDT"], 0)
    age.heard("ETHUSDT", 4)
    assert age.judge([SYMBOL, "ETHUSDT"], 6) == ({SYMBOL}, set())


def test_stream_is_trusted_again_after_it_delivered_for_the_hold_down() -> None:
    age = feed()
    age.judge([SYMBOL], 0)
    age.judge([SYMBOL], 6)
    for second in range(7, 17):
        age.heard(SYMBOL, second)
        assert age.judge([SYMBOL], second) == (set(), set())
    age.heard(SYMBOL, 17)
    assert age.judge([SYMBOL], 17) == (set(), {SYMBOL})
    assert age.stale == frozenset()


def test_one_frame_after_a_silence_is_not_health() -> None:
    age = feed()
    age.judge([SYMBOL], 0)
    age.judge([SYMBOL], 6)
    age.heard(SYMBOL, 7)
    assert age.judge([SYMBOL], 13) == (set(), set())
    age.heard(SYMBOL, 14)
    assert age.judge([SYMBOL], 18) == (set(), set())
    assert age.stale == {SYMBOL}


def test_symbol_that_is_watched_no_more_is_forgotten() -> None:
    age = feed()
    age.judge([SYMBOL], 0)
    age.judge([SYMBOL], 6)
    age.judge([], 7)
    assert age.stale == frozenset()
    assert age.judge([SYMBOL], 100) == (set(), set())


@pytest.mark.parametrize("silence", [5.1, 100.0])
def test_age_is_that_of_the_last_price(silence: float) -> None:
    age = feed()
    age.heard(SYMBOL, 10)
    assert age.age_s(SYMBOL, 10 + silence) == pytest.approx(silence)


STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 30)), min_size=1, max_size=60)


@given(STEPS)
def test_stale_exactly_when_silent_or_not_yet_healthy_long_enough(steps: list[tuple[bool, int]]) -> None:
    """Against a model that looks at the whole history each time; times in half seconds."""
    age, now, heard, stale = feed(), 0.0, [0.0], False
    age.judge([SYMBOL], 0)
    for delivered, half_seconds in steps:
        now += half_seconds / 2
        if delivered:
            age.heard(SYMBOL, now)
            heard.append(now)
        age.judge([SYMBOL], now)
        silent = now - heard[-1] > LIMIT
        stale = silent or (stale and not _healthy_for(heard, now, HOLD))
        assert (SYMBOL in age.stale) is stale


def _healthy_for(heard: list[float], now: float, seconds: float) -> bool:
    """Whether prices came without a silence beyond the limit since at least `seconds` ago."""
    begin = heard[-1]
    for earlier, later in zip(reversed(heard[:-1]), reversed(heard), strict=False):
        if later - earlier > LIMIT:
            break
        begin = earlier
    return now - begin >= seconds and begin != 0.0
