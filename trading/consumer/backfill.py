"""Prices that the stream did not bring: after a reconnect, and while it is silent.

They come from the exchange's own list of trades, through the same function and in their own order, so that
peak and stop are what they would have been without the outage.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from itertools import cycle
from typing import Any, TypeVar

from django.db import Error as DatabaseError

from trading import gateway, queries
from trading.consumer.feed import FeedAge
from trading.consumer.lanes import Lane, Lanes
from trading.consumer.market import Market
from trading.consumer.watched import OWED_FOR_MS
from trading.domain.types import Side, Tick
from trading.exchange.errors import ExchangeError
from trading.gaps import gap

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# A list of trades weighs 4 of 6,000 a minute: this many questions a second leave the rest to the exits.
QUESTIONS_PER_CHECK = 5
# From a new connection to prices that count: for the acknowledgement, then for the answers.
SUBSCRIBED_WITHIN_S = 1.0
ANSWERED_WITHIN_S = 1.0
# A gap that the exchange could not tell of is asked for again, as long as single trades can tell it.
ASK_AGAIN_S = 5.0
ASK_FOR_S = OWED_FOR_MS / 1_000


class Backfill:
    """Fills the gaps of one market's stream. Lives in the event loop; the questions are asked in lanes."""

    def __init__(
        self, lanes: Lanes, market: Market, feed: FeedAge, *, on_silence: Callable[[], None] = lambda: None
    ) -> None:
        self._lanes = lanes
        self._on_silence = on_silence
        self._market = market
        self._feed = feed
        self._turn: deque[str] = deque()
        self._alarmed: set[str] = set()
        self._unanswered: set[str] = set()
        self._subscribed = asyncio.Event()
        self.connections = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._catching: asyncio.Task[None] | None = None

    @property
    def silent(self) -> frozenset[str]:
        """Symbols that trade while their stream brings nothing, or of which the exchange does not tell."""
        return self._feed.stale & (self._alarmed | self._unanswered)

    def connected(self) -> None:
        """A new connection stands and carries nothing yet: what was missed is fetched once it does."""
        self.connections += 1
        self._subscribed.clear()
        if self._catching is not None:
            # Its answers end before this connection began; what it still owes is asked for again from there.
            self._catching.cancel()
        since_ms = self._market.fall_behind()
        if since_ms:
            self._catching = self._keep(self._catch_up(since_ms))

    def _keep(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def subscribed(self) -> None:
        """Every wanted stream is acknowledged, or refused for good."""
        self._subscribed.set()

    def lacking(self) -> None:
        """More is wanted than the stream carries, until it says that it is subscribed."""
        self._subscribed.clear()

    async def acknowledged(self) -> bool:
        """Whether the stream carries everything wanted; waits for that, but not for long."""
        try:
            async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
                return await self._subscribed.wait()
        except TimeoutError:
            log.error("the market stream has not acknowledged its subscriptions")
            return False

    async def carried(self) -> None:
        """Wait until the stream carries everything wanted, however long that takes."""
        await self._subscribed.wait()

    async def check(self) -> None:
        """Symbols whose stream is silent get their prices over REST, a few symbols at each call."""
        now, before = time.monotonic(), self.silent
        fallen, recovered = self._feed.judge(self._market.symbols, now)
        self._turn.extend(sorted(fallen))
        for symbol in recovered & self._alarmed:
            log.warning("%s: the stream is healthy again", symbol)
        # One that nobody watched any more has not recovered, and may be told of again.
        self._alarmed &= self._feed.stale
        asked = [self._turn.popleft() for _ in range(min(QUESTIONS_PER_CHECK, len(self._turn)))]
        silent = [symbol for symbol in asked if symbol in self._feed.stale]
        self._turn.extend(silent)
        await asyncio.gather(*(self._bring(symbol, self._lanes.loading) for symbol in silent))
        if self.silent - before:
            self._on_silence()

    async def _bring(self, symbol: str, lane: Lane) -> None:
        missed = await self._missed(symbol, lane)
        state = self._market.symbols.get(symbol)
        newer = state is not None and state.seen_ms and any(tick.time_ms > state.seen_ms for tick in missed)
        # A market without a trade is quiet, not silent.
        if newer and symbol not in self._alarmed:
            self._alarmed.add(symbol)
            age = self._feed.age_s(symbol, time.monotonic())
            log.error("%s: no data for %.1f s while it trades, REST prices take over", symbol, age)
        for tick in missed:
            self._market.on_tick(tick)

    async def _catch_up(self, since_ms: Mapping[str, int]) -> None:
        acknowledged = await self.acknowledged()
        lanes = cycle(self._lanes.catching)
        await asyncio.gather(
            *(
                self._catch_one_up(symbol, since_ms[symbol], next(lanes), whole=acknowledged)
                for symbol in since_ms
            )
        )

    async def _catch_one_up(self, symbol: str, since_ms: int, lane: Lane, *, whole: bool) -> None:
        asked = self._keep(self._prices(symbol, since_ms, lane))
        await asyncio.wait({asked}, timeout=ANSWERED_WITHIN_S)
        if not asked.done():
            log.error("%s: no answer about the prices that were missed, the present ones count", symbol)
            self._market.catch_up(symbol, [], whole=False)
        prices = await asked
        self._take(symbol, prices, whole=whole)
        if prices is None or not whole:
            await self._owe(symbol, since_ms, lane)

    async def _owe(self, symbol: str, since_ms: int, lane: Lane) -> None:
        """Ask again until there is an answer; the next reconnect ends it, and asks from the same time."""
        # What was traded between an answer and the first price of the stream is in neither.
        await self.carried()
        deadline = time.monotonic() + ASK_FOR_S
        while (prices := await self._prices(symbol, since_ms, lane)) is None:
            if time.monotonic() >= deadline:
                log.critical("%s: what was missed since the stream dropped stays unknown", symbol)
                prices = []
                break
            await asyncio.sleep(ASK_AGAIN_S)
        self._take(symbol, prices, whole=True)

    def _take(self, symbol: str, prices: list[Tick] | None, *, whole: bool) -> None:
        """The answer about a gap, `whole` if it reaches up to the stream. Without one, it stays owed."""
        self._market.catch_up(symbol, prices or [], whole=whole and prices is not None)

    async def _missed(self, symbol: str, lane: Lane) -> list[Tick]:
        """Every price since the last one that was seen; none when the exchange cannot be asked."""
        state = self._market.symbols.get(symbol)
        return await self._prices(symbol, state.seen_ms if state else 0, lane) or []

    async def _prices(self, symbol: str, since_ms: int, lane: Lane) -> list[Tick] | None:
        """Every price after an exchange time (ms); None when the exchange cannot be asked."""
        state = self._market.symbols.get(symbol)
        if state is None:
            return []
        side = next((watch.position.slot.position_side for watch in state.stops.values()), Side.LONG)
        try:
            prices = await lane.run(lambda: _prices_since(symbol, side, since_ms))
        except (ExchangeError, DatabaseError) as error:
            log.error("%s: prices over REST failed: %s", symbol, error)
            self._unanswered.add(symbol)
            return None
        except Exception:  # one symbol's trouble must not end the watch over the others
            log.critical("%s: prices over REST failed as nobody expected", symbol, exc_info=True)
            self._unanswered.add(symbol)
            return None
        self._unanswered.discard(symbol)
        return prices


def _prices_since(symbol: str, side: Side, since_ms: int) -> list[Tick]:
    """Prices are public: any account's connection will do. Raises ExchangeError when none of them does."""
    failed: ExchangeError | None = None
    for account in queries.active_accounts():
        try:
            exchange = gateway.exchange_for(account)
            if since_ms:
                return gap(exchange, symbol, side, after_ms=since_ms)
            exchange.ensure_clock()
            return [exchange.price(symbol)]
        except ExchangeError as error:
            log.warning("%s: no prices over the connection of %s: %s", symbol, account, error)
            failed = error
    if failed is not None:
        raise failed
    return []
