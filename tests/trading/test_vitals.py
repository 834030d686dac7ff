"""What the consumer's heartbeat says about prices."""

from decimal import Decimal

from trading.consumer.feed import FeedAge
from trading.consumer.market import Market
from trading.consumer.vitals import vitals
from trading.domain.types import Tick

T = 1_772_452_800_000


def nothing(*_: object) -> None:
    """Nobody acts in these tests."""


def watching(*symbols: str) -> tuple[Market, FeedAge]:
    market = Market(on_stop=nothing, on_signal=nothing, on_gap=nothing)
    for symbol in symbols:
        market.expect(symbol)
    return market, FeedAge(limit_s=5, hold_down_s=10)


def test_the_last_price_of_each_symbol_is_told_with_its_time_and_age() -> None:
    market, feed = watching("BTCUSDT", "ETHUSDT")
    market.on_tick(Tick("BTCUSDT", Decimal("60045.10"), T, 1))
    feed.heard("BTCUSDT", 100.0)
    told = vitals(market, feed, 100.4)
    assert told["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert told["prices"] == {
        "BTCUSDT": {"price": "60045.1", "at_ms": T, "age_s": 0.4, "source": "stream"},
    }


def test_the_price_of_a_silent_stream_is_told_as_one_from_rest() -> None:
    market, feed = watching("BTCUSDT")
    feed.heard("BTCUSDT", 100.0)
    feed.judge(market.symbols, 106.0)
    market.on_tick(Tick("BTCUSDT", Decimal(60000), T))
    told = vitals(market, feed, 106.0)
    assert told["stale"] == ["BTCUSDT"]
    assert (told["prices"]["BTCUSDT"]["source"], told["prices"]["BTCUSDT"]["age_s"]) == ("rest", 6.0)
