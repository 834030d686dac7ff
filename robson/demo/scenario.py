"""What happens in the demo, told in plain lines. Real beat, worker and consumer do the work."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from robson.demo.stage import Stage
from safetynet.models import GuardedPosition, PollState
from trading.domain.lifecycle import GuardState, PositionState
from trading.models import Account, Event, Position

BTC, ETH = "BTCUSDT", "ETHUSDT"
BTC_START, ETH_START = Decimal(60_000), Decimal(3_000)
ETH_QUANTITY = Decimal("0.5")
STEP_S = 0.25


class DemoFailed(Exception):
    """Something did not happen, or not in time."""


@dataclass
class Director:
    """Sets prices at the simulated exchange and watches the database, as the owner would watch the pages."""

    stage: Stage
    say: Callable[[str], None]
    prices: dict[str, Decimal] = field(default_factory=dict)

    def price(self, symbol: str, price: Decimal) -> None:
        self.prices[symbol] = price
        self.stage.exchange.price(symbol, price)

    def until(self, happened: Callable[[], bool], *, what: str, within_s: float) -> None:
        """Keep the market alive until something has happened. Raises DemoFailed when it does not."""
        deadline = time.monotonic() + within_s
        while not happened():
            if time.monotonic() > deadline:
                raise DemoFailed(f"within {within_s:.0f} s: {what}")
            self.pause()

    def pause(self) -> None:
        """A quarter of a second in which every price is printed again: a market is never silent."""
        for symbol, price in self.prices.items():
            self.stage.exchange.price(symbol, price)
        self.stage.tend()
        time.sleep(STEP_S)

    @contextmanager
    def moving(self, symbol: str, by: Decimal) -> Iterator[Callable[[], None]]:
        """A price that moves by the same amount at each call."""

        def step() -> None:
            self.price(symbol, self.prices[symbol] + by)
            self.pause()

        yield step


def play(stage: Stage, say: Callable[[str], None]) -> tuple[Position, GuardedPosition]:
    """The whole scenario. Returns what both modalities have closed. Raises DemoFailed."""
    director = Director(stage, say)
    director.price(BTC, BTC_START)
    director.price(ETH, ETH_START)
    account, _ = Account.objects.get_or_create(name="main")
    position = _core_enters(director, account)
    guard = _safety_net_finds(director, position)
    _stop_trails(director, position)
    _core_exits(director, position)
    _safety_net_exits(director, guard)
    return position, guard


def _core_enters(director: Director, account: Account) -> Position:
    director.stage.owner("arm", BTC, "--interval", "1s")
    position = Position.objects.get(slot__account=account)
    averages = f"SMA {position.fast_period} over {position.slow_period}"
    director.say(f"{BTC} long armed: {averages} on 1-second candles")
    for _ in range(12):
        director.pause()
    with director.moving(BTC, Decimal(15)) as rise:
        deadline = time.monotonic() + 40
        while _state(position) != PositionState.ACTIVE:
            if time.monotonic() > deadline:
                raise DemoFailed("the crossover did not open a position")
            rise()
    entering = Event.objects.get(position=position, kind="position.entering").data
    director.say(f"crossover at {entering['price']}: fast average above the slow one, Core enters")
    director.say(
        f"entry filled: {position.quantity.normalize():f} BTC at {position.entry_price:.2f}, "
        f"stop {position.stop_price:.2f} (2 %)"
    )
    return position


def _safety_net_finds(director: Director, position: Position) -> GuardedPosition:
    director.stage.exchange.trade("SELL", ETH_QUANTITY, symbol=ETH)
    director.say(f"the owner sells {ETH_QUANTITY} ETH short by hand in the app, at {ETH_START}")
    director.say("waiting for the poll (every 20 seconds) ...")
    guards = GuardedPosition.objects.filter(slot__symbol=ETH, state=GuardState.GUARDING)
    director.until(guards.exists, what="the poll guards the ETHUSDT short", within_s=50)
    guard = guards.get()
    if GuardedPosition.objects.filter(slot=position.slot).exists():
        raise DemoFailed("the Safety Net guarded Core's own position")
    director.say(f"poll: {BTC} Long is Core's (position {position.pk}): skipped")
    director.say(
        f"poll: {ETH} Short is the owner's: guarded, entry {guard.entry_price:.2f}, "
        f"safety stop {guard.stop_price:.2f} (2 %)"
    )
    return guard


def _stop_trails(director: Director, position: Position) -> None:
    with director.moving(BTC, Decimal(150)) as rise:
        for _ in range(12):
            rise()
    highest = director.prices[BTC]
    director.until(
        lambda: _state(position) == PositionState.ACTIVE and position.extreme_price == highest,
        what="the trailing stop follows the price",
        within_s=10,
    )
    director.say(f"{BTC} rises to {highest:.2f}: the stop has trailed up to {position.stop_price:.2f}")


def _core_exits(director: Director, position: Position) -> None:
    director.say(f"{BTC} turns and falls through the stop")
    with director.moving(BTC, Decimal(-75)) as fall:
        deadline = time.monotonic() + 30
        while _state(position) != PositionState.CLOSED:
            if time.monotonic() > deadline:
                raise DemoFailed("Core did not exit at its stop")
            fall()
    director.say(
        f"Core exits: sold at {position.exit_price:.2f} ({position.exit_reason}), "
        f"result {position.realised_pnl:+.2f} USDT after fees"
    )


def _safety_net_exits(director: Director, guard: GuardedPosition) -> None:
    beyond = guard.stop_price + Decimal("1.5")
    director.price(ETH, beyond)
    director.say(f"{ETH} rises to {beyond:.2f}, past the 2 % of the owner's short; the next poll sees it ...")
    director.until(
        lambda: GuardedPosition.objects.filter(pk=guard.pk, state=GuardState.CLOSED).exists(),
        what="the Safety Net closes the ETHUSDT short",
        within_s=50,
    )
    guard.refresh_from_db()
    director.say(f"Safety Net exits: {ETH} short bought back at {guard.exit_price:.2f}")
    polls = PollState.objects.get().polls
    director.say(f"{polls} polls have run meanwhile")


def _state(position: Position) -> str:
    position.refresh_from_db()
    return position.state
