"""Where a trailing stop stood between its events, as the candles tell it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from robson.desk import chart
from robson.desk.candles import Past
from robson.desk.following import as_entered, moves
from tests import factories
from tests.factories import NOON
from trading.domain.types import Candle, Side

pytestmark = pytest.mark.django_db

NOON_MS = int(NOON.timestamp() * 1000)


def minutes(*prices: tuple[int, int], first: int = 0) -> list[Candle]:
    """Candles of a minute with these (low, high)."""
    return [
        Candle(
            "BTCUSDT", "1m", NOON_MS + 60_000 * number, NOON_MS + 60_000 * (number + 1) - 1, Decimal(low),
            Decimal(high), Decimal(low), Decimal(high), Decimal(1), closed=True,
        )
        for number, (low, high) in enumerate(prices, start=first)
    ]  # fmt: skip


def test_each_higher_candle_raises_the_stop_of_a_long_and_a_lower_one_leaves_it() -> None:
    stop = as_entered(factories.core_position())
    assert stop is not None
    told = list(moves(stop, minutes((60_000, 60_050), (59_900, 60_010), (60_000, 60_100)), Decimal(60_100)))
    assert [(int(price), int(best)) for _, price, best in told] == [(58_850, 60_050), (58_900, 60_100)]


def test_each_lower_candle_brings_the_stop_of_a_short_down() -> None:
    stop = as_entered(factories.core_position(side=Side.SHORT))
    assert stop is not None
    told = list(moves(stop, minutes((59_950, 60_000), (59_900, 60_010)), Decimal(59_900)))
    assert [int(price) for _, price, _ in told] == [61_150, 61_100]


def test_candles_from_before_the_entry_and_prices_that_never_counted_move_nothing() -> None:
    stop = as_entered(factories.core_position())
    assert stop is not None
    before = minutes((60_000, 70_000), first=-1)
    assert list(moves(stop, before, Decimal(60_000))) == []
    (only,) = moves(stop, minutes((60_000, 70_000)), Decimal(60_300))
    assert only[1:] == (Decimal(59_100), Decimal(60_300))


def test_a_chart_draws_small_moves_between_its_events_and_ends_where_the_row_does() -> None:
    position = factories.core_position(stop_price=Decimal(58_900), extreme_price=Decimal(60_100))
    later = NOON + timedelta(minutes=30)
    drawn = chart.of_position(position, later)
    stops, peaks = drawn._followed(Past(minutes((60_000, 60_050), (60_000, 60_100), (58_900, 60_000))))
    # Without an event of its entry the log tells the last stop only.
    assert [int(point.price) for point in stops] == [58_850, 58_900, 58_900]
    assert [int(point.price) for point in peaks] == [60_000, 60_050, 60_100, 60_100]


def test_a_stop_that_waits_for_its_activation_is_not_guessed() -> None:
    assert as_entered(factories.core_position(activation_price=Decimal(61_000))) is None
