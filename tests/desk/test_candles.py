"""Past prices: as fine as fits, kept for a while, and an honest word when the exchange cannot be asked."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from robson.desk import candles
from robson.desk.candles import MOST_KEPT, Cache, Past, span
from robson.local.simulator import SimulatorProcess
from tests import factories
from tests.trading.support import trade_on
from trading.models import Account

DAY = 86_400.0


@pytest.mark.parametrize(
    ("life_s", "interval"),
    [
        (60, "1s"),
        (599, "1s"),
        (601, "1m"),
        (3 * 3600, "1m"),
        (DAY, "3m"),
        (30 * DAY, "2h"),
        (5 * 365 * DAY, "1d"),
    ],
)
def test_the_interval_is_the_finest_that_fits(life_s: float, interval: str) -> None:
    assert span("BTCUSDT", 1_700_000_000, 1_700_000_000 + life_s, over=False).interval == interval


def test_viewers_within_one_candle_ask_the_same() -> None:
    start = 1_700_000_040.0
    asked = {span("BTCUSDT", start + delay, start + 3600 + delay, over=False) for delay in (0, 1.5, 19)}
    assert len(asked) == 1


def test_an_answer_is_kept_for_seconds_while_it_grows_and_for_long_once_it_is_over() -> None:
    now = [0.0]
    cache = Cache(lambda: now[0])
    growing, over = (span("BTCUSDT", 0, 60, over=past) for past in (False, True))
    cache.put(growing, Past())
    cache.put(over, Past())
    now[0] = 5.5
    assert (cache.get(growing), cache.get(over)) == (None, Past())


def test_the_cache_is_bounded() -> None:
    cache = Cache()
    asked = [span(f"C{number}", 0, 60, over=True) for number in range(MOST_KEPT + 1)]
    for one in asked:
        cache.put(one, Past())
    assert cache.get(asked[0]) is None
    assert all(cache.get(one) for one in asked[1:])


@pytest.fixture
def account(
    transactional_db: None,
    simulator: SimulatorProcess,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Account:
    trade_on(simulator, settings, monkeypatch)
    settings.HTTP_TIMEOUT_S = (0.5, 0.5)
    monkeypatch.setattr(candles, "_cache", Cache())
    return factories.account()


def lately(symbol: str = "BTCUSDT") -> candles.Span:
    now = datetime.now(UTC)
    return span(symbol, (now - timedelta(seconds=30)).timestamp(), now.timestamp(), over=False)


def test_the_exchange_is_asked_once_for_all_viewers(account: Account, simulator: SimulatorProcess) -> None:
    simulator.control.price("BTCUSDT", "60000")
    wanted = lately()
    first = candles.past(account, wanted)
    assert first.trouble == ""
    assert first.candles[-1].close == 60_000
    simulator.control.fault("http_status", status=500, path="klines")
    assert candles.past(account, wanted) is first


def test_an_exchange_that_refuses_is_told_and_not_asked_again_at_once(
    account: Account, simulator: SimulatorProcess
) -> None:
    simulator.control.fault("http_status", status=500, path="klines")
    wanted = lately("ETHUSDT")
    assert candles.past(account, wanted).trouble
    simulator.control.clear_faults()
    assert candles.past(account, wanted).trouble, "a moment later"


def test_without_keys_the_chart_says_which_variables_are_missing(account: Account) -> None:
    keyless = factories.account("keyless", api_key_env="NO_SUCH", api_secret_env="NOR_THIS")
    assert "NO_SUCH" in candles.past(keyless, lately("XRPUSDT")).trouble
