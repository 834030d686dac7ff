"""After a reconnect the past is asked for; neither a slow answer nor a late acknowledgement blinds a stop."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from tests import factories
from tests.trading.test_catching_up import SYMBOL, Recorder, series, watch_of
from tests.trading.test_market import entry_watch
from tests.trading.world import World
from trading import gateway, queries
from trading.consumer import backfill
from trading.consumer.backfill import Backfill
from trading.consumer.feed import FeedAge
from trading.consumer.lanes import Lanes
from trading.domain.types import Side, Tick
from trading.exchange.errors import NotSent
from trading.models import Account


class Slow:
    """An exchange that answers about the past when it is told to."""

    def __init__(self, answer: Sequence[Tick]) -> None:
        self.answer, self.may_answer = answer, threading.Event()
        self.since_ms: list[int] = []

    @property
    def asked(self) -> int:
        return len(self.since_ms)

    def prices_since(self, _symbol: str, _side: Side, since_ms: int) -> list[Tick]:
        self.since_ms.append(since_ms)
        assert self.may_answer.wait(10)
        return [tick for tick in self.answer if tick.time_ms > since_ms]


@contextmanager
def reconnecting(
    recorder: Recorder, slow: Slow, monkeypatch: pytest.MonkeyPatch, *, limit_s: float = 5
) -> Iterator[tuple[Backfill, Lanes]]:
    """A consumer's backfill, with short patience, whose questions `slow` answers."""
    monkeypatch.setattr(backfill, "_prices_since", slow.prices_since)
    monkeypatch.setattr(backfill, "SUBSCRIBED_WITHIN_S", 0.05)
    monkeypatch.setattr(backfill, "ANSWERED_WITHIN_S", 0.05)
    lanes = Lanes(1)
    try:
        yield Backfill(lanes, recorder.market, FeedAge(limit_s=limit_s, hold_down_s=10)), lanes
    finally:
        slow.may_answer.set()
        lanes.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_an_exchange_that_does_not_answer_holds_prices_back_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder(Side.LONG)
    first, missed_peak, peak, touch = series([1_000, 1_090, 1_080, 1_030])
    slow = Slow([missed_peak, peak, touch])
    recorder.market.on_tick(first)
    with reconnecting(recorder, slow, monkeypatch) as (filling, lanes):
        filling.connected()
        filling.subscribed()
        recorder.market.on_tick(peak)
        recorder.market.on_tick(touch)
        assert not recorder.fired
        await until(lambda: recorder.fired)
        assert recorder.fired == [touch]
        assert not any(lane.waiting for lane in (*lanes.acting, *lanes.readers.values()))


async def test_what_was_missed_counts_when_the_answer_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(Side.LONG)
    first, touch, recovered = series([1_000, 940, 1_010])
    slow = Slow([touch, recovered])
    recorder.market.on_tick(first)
    with reconnecting(recorder, slow, monkeypatch) as (filling, _):
        filling.connected()
        filling.subscribed()
        recorder.market.on_tick(recovered)
        await until(lambda: not recorder.market.symbols[SYMBOL].behind)
        assert not recorder.fired
        slow.may_answer.set()
        await until(lambda: recorder.fired)
    assert recorder.fired == [touch]


async def test_prices_before_a_late_acknowledgement_are_asked_for_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder(Side.LONG)
    first, quiet, touch, recovered = series([1_000, 1_005, 940, 1_010])
    slow = Slow([quiet])
    slow.may_answer.set()
    recorder.market.on_tick(first)
    with reconnecting(recorder, slow, monkeypatch) as (filling, _):
        filling.connected()
        await until(lambda: slow.asked and not recorder.market.symbols[SYMBOL].behind)
        slow.answer = [quiet, touch, recovered]
        recorder.market.on_tick(recovered)
        filling.subscribed()
        await until(lambda: recorder.fired)
    assert recorder.fired == [touch]


async def test_silence_is_told_again_after_a_time_in_which_nobody_watched(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, ticks = Recorder(Side.LONG), series([1_000, 1_005])
    slow = Slow(ticks)
    slow.may_answer.set()
    with reconnecting(recorder, slow, monkeypatch, limit_s=0) as (filling, _):
        for told in (1, 2):
            recorder.market.on_tick(ticks[0])
            for _ in range(3):
                await filling.check()
            assert caplog.text.count("REST prices take over") == told
            recorder.market.keep_only(set())
            await filling.check()
            recorder.market.expect(SYMBOL)
            recorder.market.add_stop(watch_of(Side.LONG))


async def test_a_second_reconnect_asks_anew_and_releases_nothing_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder(Side.LONG)
    first, touch, recovered = series([1_000, 940, 1_010])
    slow = Slow([touch, recovered])
    recorder.market.on_tick(first)
    with reconnecting(recorder, slow, monkeypatch) as (filling, _):
        filling.connected()
        filling.connected()
        slow.may_answer.set()
        filling.subscribed()
        await until(lambda: recorder.fired)
        assert slow.asked == 1
    assert recorder.fired == [touch]


def reconnect(filling: Backfill) -> None:
    filling.connected()
    filling.subscribed()


async def test_a_gap_whose_answer_is_late_is_not_lost_when_the_line_drops_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder(Side.LONG)
    first, touch, recovered, later = series([1_000, 940, 1_010, 1_012])
    slow = Slow([touch, recovered, later])
    recorder.market.on_tick(first)
    with reconnecting(recorder, slow, monkeypatch) as (filling, _):
        reconnect(filling)
        recorder.market.on_tick(recovered)
        await until(lambda: not recorder.market.symbols[SYMBOL].behind)
        reconnect(filling)
        recorder.market.on_tick(later)
        slow.may_answer.set()
        await until(lambda: not recorder.market.symbols[SYMBOL].standing)
    assert recorder.fired == [touch]


async def test_a_gap_is_not_lost_when_the_line_drops_before_a_late_acknowledgement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder(Side.LONG)
    first, quiet, touch, recovered = series([1_000, 1_005, 940, 1_010])
    slow = Slow([quiet])
    slow.may_answer.set()
    recorder.market.on_tick(first)
    with reconnecting(recorder, slow, monkeypatch) as (filling, _):
        filling.connected()
        await until(lambda: slow.asked and not recorder.market.symbols[SYMBOL].behind)
        recorder.market.on_tick(recovered)
        slow.answer = [quiet, touch, recovered]
        reconnect(filling)
        await until(lambda: not recorder.market.symbols[SYMBOL].standing)
    assert recorder.fired == [touch]


async def test_a_stop_that_begins_after_a_gap_nobody_needs_any_more_trails_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line drops twice while the exit of the symbol's only stop is under way; an armed entry stays."""
    recorder = Recorder(Side.LONG)
    market, armed = recorder.market, entry_watch()
    armed.position.pk = 2
    market.add_entry(armed)
    first, touch, low, peak = series([1_000, 940, 1_000, 1_080])
    market.on_tick(first)
    with reconnecting(recorder, Slow([]), monkeypatch) as (filling, _):
        filling.connected()
        market.on_tick(touch)
        market.keep_only({2})
        filling.lacking()
        reconnect(filling)
        market.expect(SYMBOL)
        market.add_stop(watch_of(Side.LONG), [low])
        market.loaded(SYMBOL)
        market.on_tick(peak)
    assert recorder.fired == [touch]
    assert recorder.stop.extreme == peak.price
    assert market.symbols[SYMBOL].held_back == []


async def test_a_gap_of_which_the_exchange_could_not_tell_is_asked_for_at_the_next_reconnect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder(Side.LONG)
    first, touch, recovered = series([1_000, 940, 1_010])
    slow = Slow([touch, recovered])
    slow.may_answer.set()
    recorder.market.on_tick(first)
    with reconnecting(recorder, slow, monkeypatch) as (filling, _):
        with monkeypatch.context() as away:
            away.setattr(backfill, "_prices_since", unreachable)
            reconnect(filling)
            recorder.market.on_tick(recovered)
            await until(lambda: not recorder.market.symbols[SYMBOL].behind)
        reconnect(filling)
        await until(lambda: not recorder.market.symbols[SYMBOL].standing)
    assert recorder.fired == [touch]


def unreachable(*_: object) -> list[Tick]:
    raise NotSent("no network")


def nonsense(*_: object) -> list[Tick]:
    raise KeyError("a field that was always there")


@pytest.mark.parametrize("trouble", [unreachable, nonsense])
async def test_a_gap_of_which_the_exchange_could_not_tell_is_asked_for_again_without_a_reconnect(
    monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., list[Tick]]
) -> None:
    recorder = Recorder(Side.LONG)
    first, touch, recovered = series([1_000, 940, 1_010])
    slow = Slow([touch, recovered])
    slow.may_answer.set()
    failures = iter(range(3))

    def at_first(*question: Any) -> list[Tick]:
        return slow.prices_since(*question) if next(failures, None) is None else trouble()

    recorder.market.on_tick(first)
    with reconnecting(recorder, slow, monkeypatch) as (filling, _):
        monkeypatch.setattr(backfill, "_prices_since", at_first)
        monkeypatch.setattr(backfill, "ASK_AGAIN_S", 0.01)
        reconnect(filling)
        recorder.market.on_tick(recovered)
        await until(lambda: recorder.fired)
    assert recorder.fired == [touch]
    assert slow.since_ms == [first.time_ms]


async def test_whoever_is_never_told_of_a_gap_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(Side.LONG)
    recorder.market.on_tick(series([1_000])[0])
    with reconnecting(recorder, Slow([]), monkeypatch) as (filling, _):
        monkeypatch.setattr(backfill, "_prices_since", unreachable)
        monkeypatch.setattr(backfill, "ASK_FOR_S", 0)
        reconnect(filling)
        await until(lambda: "stays unknown" in caplog.text)


async def test_after_a_late_answer_the_next_gap_begins_at_the_last_price(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder(Side.LONG)
    first, missed, recovered, later = series([1_000, 1_005, 1_010, 1_012])
    slow = Slow([missed, recovered])
    recorder.market.on_tick(first)
    with reconnecting(recorder, slow, monkeypatch) as (filling, _):
        reconnect(filling)
        recorder.market.on_tick(recovered)
        await until(lambda: not recorder.market.symbols[SYMBOL].behind)
        slow.may_answer.set()
        await until(lambda: not recorder.market.symbols[SYMBOL].standing)
        recorder.market.on_tick(later)
        reconnect(filling)
        await until(lambda: slow.asked == 2)
    assert slow.since_ms == [first.time_ms, later.time_ms]


def test_prices_come_over_any_account_whose_connection_serves(world: World) -> None:
    factories.account("broken", api_key_env="NO_SUCH_KEY")
    assert [account.name for account in queries.active_accounts()] == ["broken", "main"]
    began = world.exchange.now_ms() - 1
    world.control.price(SYMBOL, "61000")
    missed = backfill._prices_since(SYMBOL, Side.LONG, began)
    assert Decimal(61_000) in [tick.price for tick in missed]
    assert [tick.price for tick in backfill._prices_since(SYMBOL, Side.LONG, 0)] == [Decimal(61_000)]


def test_no_prices_at_all_are_an_error_and_not_silence(world: World) -> None:
    factories.account("broken", api_key_env="NO_SUCH_KEY")
    Account.objects.filter(name="main").update(active=False)
    with pytest.raises(gateway.MissingCredentials):
        backfill._prices_since(SYMBOL, Side.LONG, 0)


@pytest.mark.parametrize(("answers", "silent"), [("newer", True), ("none", False), ("error", True)])
async def test_silent_is_who_trades_unheard_or_of_whom_the_exchange_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, answers: str, silent: bool
) -> None:
    recorder, told, seen, newer = Recorder(Side.LONG), asyncio.Event(), *series([1_000, 1_010])
    recorder.market.on_tick(seen)

    def prices_since(*_: object) -> list[Tick]:
        if answers == "error":
            raise NotSent("no network")
        return [newer] if answers == "newer" else []

    monkeypatch.setattr(backfill, "_prices_since", prices_since)
    lanes, feed = Lanes(1), FeedAge(limit_s=1, hold_down_s=10)
    feed.judge([SYMBOL], time.monotonic() - 5)
    filling = Backfill(lanes, recorder.market, feed, on_silence=told.set)
    try:
        await filling.check()
    finally:
        lanes.close()
    assert feed.stale == {SYMBOL}
    assert filling.silent == ({SYMBOL} if silent else set())
    assert told.is_set() is silent
