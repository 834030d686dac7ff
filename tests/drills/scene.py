"""What one drill works with: an account of its own, and words for what happens to it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from django.db import Error as DatabaseError
from django.db import connection

from robson.local import logfiles, paths
from safetynet.models import GuardedPosition, PollState
from tests.drills.exposure import Exposure
from tests.drills.stage import Stage, key_variables
from trading import arming, entry, gateway
from trading.arming import ArmOrder
from trading.domain.client_ids import parse_client_id
from trading.domain.crossover import Signal
from trading.domain.lifecycle import GuardState, PositionState
from trading.domain.types import Side
from trading.models import Account, Position

PRICES = {
    "BTCUSDT": Decimal(60_000),
    "ETHUSDT": Decimal(3_000),
    "BNBUSDT": Decimal(600),
    "SOLUSDT": Decimal(150),
    "LTCUSDT": Decimal(80),
}
TICK = Decimal("0.01")
BEYOND = Decimal("0.002")
_POLL_S = 0.05
_PATIENCE_S = 40.0

Found = TypeVar("Found")
Row = TypeVar("Row", Position, GuardedPosition)
Protected = Position | GuardedPosition


class DrillFailed(Exception):
    """What was expected did not happen."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; seen {seen}")
        self.expected, self.seen = expected, seen


@dataclass
class Scene:
    """Prices are in quote currency, quantities in base."""

    stage: Stage
    account: Account
    api_key: str
    logs: dict[str, int]
    exposure: Exposure = field(default_factory=Exposure)

    # Positions ----------------------------------------------------------------------------------------------

    def core(
        self,
        symbol: str = "BTCUSDT",
        side: Side = Side.LONG,
        *,
        at: Decimal | None = None,
        watched: bool = True,
        **terms: Any,
    ) -> Position:
        """A position of Core's, entered through the protocol, Active, and watched by the consumer."""
        price = self.price(symbol, at or PRICES[symbol])
        exchange, desk = gateway.exchange_for(self.account), gateway.desk_for(self.account)
        order = ArmOrder(symbol=symbol, side=side, **terms)
        position = arming.arm(account=self.account, order=order, exchange=exchange, at=desk.clock())
        entry.enter(position=position, signal=_signal(position, price), desk=desk)
        self.fresh(position)
        self.expect("the entry", position.state, PositionState.ACTIVE)
        if watched:
            self.trail(position, price * (1 + _sign(side) * BEYOND))
        return position

    def guarded(
        self, symbol: str = "ETHUSDT", side: Side = Side.LONG, quantity: str = "0.5"
    ) -> GuardedPosition:
        """A position that the owner opens by hand in the app, once the poll guards it."""
        self.price(symbol, PRICES[symbol])
        self.by_hand("BUY" if side is Side.LONG else "SELL", quantity, symbol)
        guards = GuardedPosition.objects.select_related("slot__account").filter(
            slot__account=self.account, slot__symbol=symbol, state=GuardState.GUARDING
        )
        return self.until(guards.first, f"a poll guards {symbol}")

    def by_hand(self, order_side: str, quantity: str, symbol: str) -> dict[str, Any]:
        """The owner trades in the app; `all` is the whole position."""
        return self.stage.exchange.trade(order_side, quantity, symbol=symbol, api_key=self.api_key)

    def rest_by_hand(self, order_side: str, quantity: str, symbol: str, *, price: str) -> dict[str, Any]:
        """The owner places a limit order in the app; it rests."""
        wish = {"api_key": self.api_key, "symbol": symbol, "side": order_side, "quantity": quantity}
        terms = {"type": "LIMIT", "price": price, "time_in_force": "GTC", "side_effect": "NO_SIDE_EFFECT"}
        order: dict[str, Any] = self.stage.exchange.call("POST", "trade", {**wish, **terms})
        return order

    def deposit(self, symbol: str, asset: str, amount: str) -> None:
        """The owner transfers into the pair until so much is free: collateral."""
        secret = os.environ[self.account.api_secret_env]
        wanted = {symbol: {asset: amount}}
        body = {"api_key": self.api_key, "secret": secret, "balances": wanted}
        self.stage.exchange.call("POST", "account", body)

    def robson(self, *arguments: str) -> int:
        """The owner's command line, on this account. Answers its exit code."""
        program = [sys.executable, "-c", "from robson.cli import main; main()"]
        done = subprocess.run(
            [*program, *arguments, "--account", self.account.name],
            cwd=paths.PROJECT_DIR,
            timeout=60,
            check=False,
        )
        return done.returncode

    # Prices -------------------------------------------------------------------------------------------------

    def price(self, symbol: str, price: Decimal) -> Decimal:
        """The market moves there, and goes on trading there."""
        self.stage.market.set(symbol, price.quantize(TICK))
        return price.quantize(TICK)

    def trail(self, position: Position, price: Decimal) -> None:
        """The market moves in the position's favour, and its stop follows: whoever drives it is at work."""
        best = self.price(position.slot.symbol, price)
        self.until(
            lambda: self.fresh(position).extreme_price == best, f"the stop of {position} follows {best}"
        )

    def pierce(self, row: Protected) -> None:
        """The market goes through the stop, and stays there. From the first time on it is unprotected."""
        self.touch(row.slot.symbol, self.beyond_the_stop(row))

    def beyond_the_stop(self, row: Protected) -> Decimal:
        """A price past the stop as last read: the database may be away."""
        stop = row.stop_price or Decimal(0)
        return stop * (1 - _sign(row.slot.position_side) * BEYOND)

    def touch(self, symbol: str, price: Decimal) -> None:
        """The same for a price that the drill has worked out itself."""
        self.exposure.begin(symbol, self.stage.market.set(symbol, price.quantize(TICK)))

    # What is allowed ----------------------------------------------------------------------------------------

    def allow(self, seconds: float, why: str) -> None:
        """How long a position may be unprotected, in s, not counting the outages."""
        self.exposure.allowed_s, self.exposure.allowed_for = seconds, why

    def outage(self) -> AbstractContextManager[None]:
        """While this lasts nobody could have done anything."""
        return self.exposure.outage()

    # What is seen -------------------------------------------------------------------------------------------

    def until(
        self, happened: Callable[[], Found | None], what: str, *, within_s: float = _PATIENCE_S
    ) -> Found:
        """The first true answer. A database that is away has not answered. Raises DrillFailed."""
        deadline = time.monotonic() + within_s
        while True:
            self.stage.programs.tend()
            if found := _asked(happened):
                return found
            if time.monotonic() > deadline:
                raise DrillFailed(f"within {within_s:.0f} s: {what}", "it did not happen")
            time.sleep(_POLL_S)

    def never(self, happens: Callable[[], object], what: str, *, for_s: float) -> None:
        """It does not happen for so long. Raises DrillFailed."""
        deadline = time.monotonic() + for_s
        while time.monotonic() < deadline:
            self.stage.programs.tend()
            if found := _asked(happens):
                raise DrillFailed(f"never: {what}", str(found))
            time.sleep(_POLL_S)

    def expect(self, what: str, seen: object, expected: object) -> None:
        """Raises DrillFailed unless they are equal."""
        if seen != expected:
            raise DrillFailed(f"{what}: {expected}", str(seen))

    def fresh(self, row: Row) -> Row:
        """The row as it is now, with its slot: that can be read while the database is away."""
        _read_anew(row)
        return row

    def touch_seen(self, guard: GuardedPosition, within_s: float = _PATIENCE_S) -> None:
        """A poll has seen that the guard's stop is touched. Raises DrillFailed."""
        self.until(lambda: self.fresh(guard).touched_price, "a poll sees the touch", within_s=within_s)

    def closed(self, *rows: Protected, within_s: float = _PATIENCE_S) -> None:
        """Each comes to its end. Raises DrillFailed."""
        for row in rows:
            self._until_closed(row, within_s)

    def _until_closed(self, row: Protected, within_s: float) -> None:
        def is_closed() -> bool:
            _read_anew(row)
            return row.state == "closed"

        self.until(is_closed, f"{row} is closed", within_s=within_s)
        symbol = row.slot.symbol
        if not self.exposure.end(symbol, self.exits(symbol)):
            raise DrillFailed(f"an exit of {row}, whose stop was touched", "none")

    def orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """The account's orders that the exchange has accepted, by hand or not, oldest first."""
        wanted = f"orders?api_key={self.api_key}" + (f"&symbol={symbol}" if symbol else "")
        found: list[dict[str, Any]] = self.stage.exchange.call("GET", wanted)
        return found

    def exits(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """Robson's exit orders that the exchange has executed, at least in part."""
        return [order for order in self.orders(symbol) if _is_exit(order)]

    def refusals(self) -> list[dict[str, Any]]:
        """The account's orders that the exchange has refused."""
        found = self.stage.exchange.ledger()["refusals"]
        return [one for one in found if one["api_key"] == self.api_key]

    def polls(self) -> int:
        """How many polls of the account have begun."""
        state = PollState.objects.filter(account=self.account).first()
        return state.polls if state else 0

    def logged(self, process: str, text: str) -> bool:
        """Whether a process has logged this since the drill began."""
        return text.encode() in logfiles.read_from(process, self.logs.get(process, 0))


def begin(stage: Stage) -> Scene:
    """The next drill's scene: a fresh account, with logs remembered as they are now."""
    stage.drills += 1
    variables = key_variables(stage.drills)
    key, secret = (os.environ[name] for name in variables)
    stage.exchange.call("POST", "account", {"api_key": key, "secret": secret})
    account = Account.objects.create(
        name=f"drill-{stage.drills}", api_key_env=variables[0], api_secret_env=variables[1]
    )
    folder = logfiles.path("any").parent
    logs = {file.stem: file.stat().st_size for file in folder.glob("*.log")}
    return Scene(stage, account, key, logs)


def _read_anew(row: Any) -> None:
    row.refresh_from_db(from_queryset=type(row)._default_manager.select_related("slot__account"))


def _asked(question: Callable[[], Found]) -> Found | None:
    try:
        return question()
    except DatabaseError:
        connection.close()
        return None


def _is_exit(order: dict[str, Any]) -> bool:
    name = parse_client_id(order["client_order_id"])
    return name is not None and name.purpose == "exit" and Decimal(order["executed"]) > 0


def _sign(side: Side) -> int:
    return 1 if side is Side.LONG else -1


def _signal(position: Position, price: Decimal) -> Signal:
    return Signal(
        id=f"drill:{position.pk}",
        symbol=position.slot.symbol,
        side=position.slot.position_side,
        candle_close_time_ms=1,
        price=price,
        fast=price + 1,
        slow=price,
    )
