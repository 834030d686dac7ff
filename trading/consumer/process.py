"""The consumer process, from start to SIGTERM."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError

from trading import bans, gateway, metrics, queries, reconciliation, services
from trading.consumer import loading
from trading.consumer.accounts import AccountFeeds
from trading.consumer.acting import Acting
from trading.consumer.backfill import Backfill
from trading.consumer.feed import FeedAge
from trading.consumer.lanes import Lanes
from trading.consumer.market import Market
from trading.consumer.vitals import vitals
from trading.consumer.watched import EntryWatch, StopWatch
from trading.domain.lifecycle import PositionState
from trading.domain.types import Candle, Tick
from trading.exchange.clock import steady
from trading.exchange.connection import USUAL, Link, LinkState
from trading.exchange.errors import ExchangeError
from trading.exchange.frames import FrameDecoder
from trading.exchange.port import MAX_STREAMS
from trading.exchange.streams import MarketStream
from trading.logcontext import about
from trading.models import Account, Heartbeat, Position
from trading.services import Progress

log = logging.getLogger(__name__)

HEARTBEAT = "consumer"
SYNC_S = 1.0
PERSIST_S = 1.0
FEED_CHECK_S = 1.0
WARM_S = 20.0
HEARTBEAT_S = 2.0
HOLD_DOWN_S = 10.0
WATCH_S = 5.0
RECONCILE_S = 60.0
# So many of the streams that are left out are named.
NAMED = 5

Companion = Callable[[datetime], None]
_companions: list[Companion] = []


def accompany(companion: Companion) -> None:
    """Have `companion(since)` run every few seconds beside the consumer, in a lane of its own."""
    if companion not in _companions:
        _companions.append(companion)


class Consumer:
    """Owns prices, detectors and trailing stops; asks `services` and `entry` for everything else."""

    def __init__(self) -> None:
        self.lanes = Lanes()
        self.acting = Acting(self.lanes, changed=self.wake)
        self.market = Market(on_stop=self.acting.exit, on_signal=self.acting.enter, on_gap=self.load_again)
        self.feed = FeedAge(limit_s=settings.FEED_AGE_LIMIT_S, hold_down_s=HOLD_DOWN_S)
        self._silence = asyncio.Event()
        self.backfill = Backfill(self.lanes, self.market, self.feed, on_silence=self._silence.set)
        self._clock = gateway.exchange_clock()
        self.decoder = FrameDecoder(now_ms=self._clock)
        self.stream = MarketStream(gateway.endpoints().stream, self.on_frame, self.on_link)
        self.accounts = AccountFeeds(self.lanes.loading, changed=self.wake)
        self.frames = 0
        self._counted = 0
        self._known: set[tuple[int, str]] = set()
        self._left_out: list[str] = []
        self._wake = asyncio.Event()
        self._reconnected = asyncio.Event()
        self._began_s = steady()
        self._loads: set[asyncio.Task[None]] = set()
        self._unsaved: dict[int, Progress] = {}

    def wake(self) -> None:
        """The database has news: look now, not in a second."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish what is under way and persist what is known."""
        await self.lanes.open()
        jobs = [
            self.stream.run(),
            self._every(SYNC_S, self.sync, wake=self._wake),
            self._every(PERSIST_S, self.persist),
            self._every(FEED_CHECK_S, self.backfill.check),
            self._every(HEARTBEAT_S, self.beat, wake=self._silence),
            self._every(WARM_S, self.lanes.warm),
            self._every(WATCH_S, self.watch_others),
            self._every(RECONCILE_S, self.reconcile, wake=self._reconnected),
        ]
        tasks = [asyncio.create_task(job) for job in jobs]
        stopped = asyncio.create_task(stop.wait())
        log.info("consumer is up")
        done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in [*tasks, *self._loads, stopped]:
            task.cancel()
        self.accounts.stop()
        await self.acting.finish()
        await self.persist()
        self.lanes.close()
        for task in done - {stopped}:
            task.result()
        log.info("consumer has stopped")

    def on_frame(self, frame: bytes | str) -> None:
        """One frame of the market stream. Nothing in here waits."""
        self.frames += 1
        value = self.decoder.decode(frame)
        if isinstance(value, Tick):
            # A stream that lags is as good as silent: newer prices are to be had.
            if self._clock() - value.time_ms <= self.feed.limit_s * 1000:
                self.feed.heard(value.symbol, time.monotonic())
            self.market.on_tick(value)
        elif isinstance(value, Candle):
            self.market.on_candle(value)

    def on_link(self, state: LinkState) -> None:
        """The market stream's connection changed."""
        _log_state(state)
        if state.link is Link.CONNECTED:
            self.backfill.connected()
            self._reconnected.set()
        elif state.link is Link.DISCONNECTED:
            self.backfill.lacking()
        elif state.link in {Link.SUBSCRIBED, Link.REFUSED, Link.REPLACED}:
            self.backfill.subscribed()

    async def sync(self) -> None:
        """Follow the database: what is managed is watched, and nothing else is."""
        positions = await self.lanes.books.run(queries.managed_positions)
        states = {(position.pk, position.state) for position in positions}
        watched = {PositionState.ARMED, PositionState.ACTIVE, PositionState.EXITING}
        self.market.keep_only({position.pk for position in positions if position.state in watched})
        for position in positions:
            if (position.pk, position.state) not in self._known:
                self._begin(position)
        self._known = states
        if self.stream.set_streams(self._streams()):
            self.backfill.lacking()
        self._follow_accounts(positions)

    def _streams(self) -> list[str]:
        """What one connection carries of the streams. Arming counts them, but not those of two at once."""
        wanted = self.market.streams()
        carried, left_out = wanted[:MAX_STREAMS], wanted[MAX_STREAMS:]
        if left_out and left_out != self._left_out:
            log.critical(
                "%d of %d streams are left out, since one connection carries %d; entries that wait for them "
                "do not come: disarm something (%s)",
                len(left_out), len(wanted), MAX_STREAMS, _some(left_out),
            )  # fmt: skip
        self._left_out = left_out
        return carried

    def _follow_accounts(self, positions: list[Position]) -> None:
        by_account: dict[Account, set[str]] = {}
        for position in positions:
            by_account.setdefault(position.slot.account, set()).add(position.slot.symbol)
        for account, symbols in by_account.items():
            self.accounts.follow(account, symbols)
        self.accounts.keep_only({account.pk for account in by_account})

    def _begin(self, position: Position) -> None:
        if position.state == PositionState.ARMED:
            self._load(position, self._load_entry)
        elif position.state == PositionState.ACTIVE:
            self._load(position, self._load_stop)
        else:
            self.acting.pursue(position)

    def load_again(self, watch: EntryWatch) -> None:
        """A candle was missed: warm the detector up anew."""
        log.info("%s: a candle is missing, loading the history again", watch.position)
        self._load(watch.position, self._load_entry)

    def _load(self, position: Position, load: Callable[[Position], Awaitable[None]]) -> None:
        self.market.expect(position.slot.symbol)
        with about(position):
            self._keep(self._load_until_done(position, load))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def _load_until_done(self, position: Position, load: Callable[[Position], Awaitable[None]]) -> None:
        try:
            while self._is_known(position):
                try:
                    return await load(position)
                except (ExchangeError, DatabaseError) as error:
                    log.error("%s: cannot be watched yet, trying again: %s", position, error)
                except Exception:  # the heartbeat goes on: nobody else would watch it
                    log.critical("%s: cannot be watched, trying again", position, exc_info=True)
                await asyncio.sleep(SYNC_S)
        finally:
            self.market.loaded(position.slot.symbol)

    def _is_known(self, position: Position) -> bool:
        return any(pk == position.pk for pk, _ in self._known)

    async def _load_entry(self, position: Position) -> None:
        watch, candles = await self.lanes.loading.run(lambda: loading.load_entry(position))
        self.market.add_entry(watch, candles)

    async def _load_stop(self, position: Position) -> None:
        """Asked for once the stream carries its symbol: no price falls between the answer and the stream."""
        self.market.stand(StopWatch(position))
        acknowledged, connection = await self.backfill.acknowledged(), self.backfill.connections
        watch, replayed = await self.lanes.loading.run(lambda: loading.load_stop(position))
        self.market.add_stop(watch, replayed)
        if not acknowledged or connection != self.backfill.connections:
            self._keep(self._load_once_carried(position))

    async def _load_once_carried(self, position: Position) -> None:
        """The answer came before the stream did: what was traded in between is in neither."""
        await self.backfill.carried()
        if (position.pk, position.state) in self._known:
            self._load(position, self._load_stop)

    async def persist(self) -> None:
        moved = {progress.position_id: progress for progress in self.market.take_progress()}
        batch, self._unsaved = self._unsaved | moved, {}
        if not batch:
            return
        try:
            await self.lanes.books.run(
                lambda: services.save_progress(batch=batch.values(), at=gateway.utc_now())
            )
        except (OperationalError, InterfaceError):
            # The database is away. A poll that has to stand in later must not begin with an old peak.
            self._unsaved = batch
            raise

    async def watch_others(self) -> None:
        since = gateway.utc_now() - timedelta(seconds=steady() - self._began_s)
        for companion in _companions:
            try:
                await self.lanes.others.run(partial(companion, since))
            except Exception:  # whoever is helped here must not take the stops along
                log.critical("%s failed, trying again", _name(companion), exc_info=True)

    async def reconcile(self) -> None:
        """At the start, whenever the exchange is connected to again, and now and then."""
        for account in await self.lanes.others.run(queries.active_accounts):
            try:
                await self.lanes.others.run(partial(_reconcile, account))
            except ExchangeError as error:
                log.error("%s was not reconciled; nothing was changed: %s", account, error)
            except Exception:  # as above
                log.critical("%s was not reconciled, trying again", account, exc_info=True)
        self.wake()

    async def beat(self) -> None:
        metrics.FRAMES.labels(outcome="received").inc(self.frames - self._counted)
        self._counted = self.frames
        data = {
            "frames": self.frames,
            "dropped": sum(self.decoder.dropped.values()),
            **vitals(self.market, self.feed, time.monotonic()),
            "silent": sorted(self.backfill.silent),
        }
        await self.lanes.books.run(lambda: _beat(data))

    async def _every(
        self, seconds: float, job: Callable[[], Awaitable[None]], wake: asyncio.Event | None = None
    ) -> None:
        """Run a job for ever. A database or an exchange that is away is announced, and tried again."""
        while True:
            try:
                await job()
            except (DatabaseError, ExchangeError) as error:
                log.error("%s failed, trying again: %s", _name(job), error)
            await _pause(seconds, wake)


def _name(job: Callable[..., object]) -> str:
    return str(getattr(job, "__name__", job))


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


async def _pause(seconds: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(seconds)
        return
    try:
        # Not wait_for: before Python 3.12 it forgets to be cancelled when the event comes just then.
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
    wake.clear()


def _reconcile(account: Account) -> None:
    reconciliation.reconcile(account, gateway.desk_for(account))


def _log_state(state: LinkState) -> None:
    level = logging.INFO if state.link in USUAL else logging.WARNING
    log.log(level, "market stream: %s %s", state.link, state.detail)


def _beat(data: dict[str, Any]) -> None:
    Heartbeat.objects.update_or_create(name=HEARTBEAT, defaults={"at": gateway.utc_now(), "data": data})
    bans.write()
