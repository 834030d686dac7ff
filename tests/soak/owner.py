"""The owner at work: by hand in the exchange's app, and with Robson's own verbs, as the pages call them."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

from django.db import Error as DatabaseError
from django.db import connection

from robson.local.simulator import Control, SimulatorError
from safetynet.exemptions import ExemptionRefused, exempt
from simulator.ledger import floor_to
from simulator.positions import dust, sign
from simulator.symbols import CATALOG
from tests.soak.deeds import Deed, Verb
from tests.soak.diary import Diary
from tests.soak.market import Tape
from tests.soak.schedule import SYMBOLS
from trading import gateway, operations
from trading.arming import ArmOrder, ArmRefused, DisarmRefused
from trading.domain.lifecycle import PositionState
from trading.domain.stops import StopKind, StopPolicy
from trading.domain.types import OrderSide, Side
from trading.exchange.errors import ExchangeError
from trading.explain import NotPossible
from trading.models import Account, OrderIntent, Position, Slot

BY = "soak"
HANDS = 4
TRIES, AGAIN_S = 10, 1.0
ZERO = Decimal(0)
REFUSALS = (ArmRefused, DisarmRefused, NotPossible, ExemptionRefused, SimulatorError, ExchangeError)


class Idle(Exception):
    """There is nothing that this deed could be done to."""


class Owner:
    """Several hands, each a thread of its own; what concerns one pair is done by one of them, in order."""

    def __init__(self, url: str, account: Account, tape: Tape, diary: Diary) -> None:
        self._hands = [_Hand(url, account, tape, diary) for _ in range(HANDS)]

    def begin(self, deed: Deed) -> None:
        number = SYMBOLS.index(deed.symbol) if deed.symbol else 0
        self._hands[number % HANDS].begin(deed)

    def finish(self) -> None:
        """Wait until everything that was begun is done."""
        for hand in self._hands:
            hand.pool.shutdown(wait=True)


class _Hand:
    def __init__(self, url: str, account: Account, tape: Tape, diary: Diary) -> None:
        self.pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="owner")
        self._app = Control(url)
        self._account = account
        self._tape = tape
        self._diary = diary

    def begin(self, deed: Deed) -> None:
        self.pool.submit(self._do, deed)

    def _do(self, deed: Deed) -> None:
        told, outcome = self._tried(deed)
        tries = 1
        while outcome == "failed" and tries < TRIES:
            # As anybody would whom a page tells that something went wrong.
            time.sleep(AGAIN_S)
            told, outcome = self._tried(deed)
            tries += 1
        what = f"{deed.verb}: {outcome}"
        self._diary.note("owner", f"{what}: {told}", deed.symbol, count=what)

    def _tried(self, deed: Deed) -> tuple[str, str]:
        """What came of it, in words, and as what it counts."""
        try:
            return self._deeds()[deed.verb](deed), "done"
        except Idle as reason:
            return str(reason), "idle"
        except REFUSALS as refusal:
            return str(refusal)[:200], "refused"
        except DatabaseError as error:
            connection.close()
            return f"the database: {error}"[:200], "failed"
        except Exception as error:  # noqa: BLE001  # the deed of a thread: nobody else would hear of it
            return f"{type(error).__name__}: {error}", "unexpected"

    def _deeds(self) -> dict[Verb, Callable[[Deed], str]]:
        return {
            Verb.OPEN: self._open,
            Verb.ADD: self._add,
            Verb.REDUCE: self._reduce,
            Verb.CLOSE: self._close,
            Verb.FLIP: self._flip,
            Verb.ARM: self._arm,
            Verb.DISARM: self._disarm,
            Verb.CLOSE_NOW: self._close_now,
            Verb.EXEMPT: self._exempt,
            Verb.PAUSE: lambda deed: self._pause(paused=True),
            Verb.RESUME: lambda deed: self._pause(paused=False),
            Verb.PANIC: lambda deed: self._panic(),
        }

    # By hand in the app ---------------------------------------------------------------------------------

    def _open(self, deed: Deed) -> str:
        price = self._tape.last(deed.symbol)
        if price is None or self._held(deed.symbol, price):
            raise Idle("something is open there already")
        return self._trade(deed.symbol, deed.side.entry_order, deed.amount / price)

    def _add(self, deed: Deed) -> str:
        held = self._something(deed.symbol)
        side = OrderSide.BUY if held > 0 else OrderSide.SELL
        return self._trade(deed.symbol, side, abs(held) * deed.amount)

    def _reduce(self, deed: Deed) -> str:
        held = self._something(deed.symbol)
        side = OrderSide.SELL if held > 0 else OrderSide.BUY
        return self._trade(deed.symbol, side, abs(held) * deed.amount)

    def _close(self, deed: Deed) -> str:
        held = self._something(deed.symbol)
        return self._trade(deed.symbol, OrderSide.SELL if held > 0 else OrderSide.BUY, None)

    def _flip(self, deed: Deed) -> str:
        """By two orders or by one, as the deed's side happens to be."""
        held = self._something(deed.symbol)
        side, other = OrderSide.SELL if held > 0 else OrderSide.BUY, abs(held) * deed.amount
        if deed.side is Side.LONG:
            closed = self._trade(deed.symbol, side, None)
            return f"{closed}, then {self._trade(deed.symbol, side, other)}"
        return self._trade(deed.symbol, side, abs(held) + other, side_effect="AUTO_BORROW_REPAY")

    def _trade(self, symbol: str, side: OrderSide, quantity: Decimal | None, **more: str) -> str:
        wanted = "all" if quantity is None else f"{floor_to(quantity, CATALOG[symbol].step):f}"
        body = {"symbol": symbol, "side": str(side), "quantity": wanted, **more}
        order = self._app.call("POST", "trade", body)
        return f"{side} {order['executed']} of {order['quantity']}, order {order['order_id']}"

    def _something(self, symbol: str) -> Decimal:
        price = self._tape.last(symbol)
        held = self._held(symbol, price) if price else ZERO
        if not held:
            raise Idle("nothing is open there")
        return held

    def _held(self, symbol: str, price: Decimal) -> Decimal:
        """The position (signed, base currency) as the app shows it; 0 within dust."""
        pairs = (pair for account in self._app.ledger()["accounts"] for pair in account["pairs"])
        position = next((Decimal(pair["position"]) for pair in pairs if pair["symbol"] == symbol), ZERO)
        return position if sign(position, dust(CATALOG[symbol], price)) else ZERO

    # With Robson ----------------------------------------------------------------------------------------

    def _arm(self, deed: Deed) -> str:
        order = ArmOrder(
            symbol=deed.symbol,
            side=deed.side,
            capital=deed.amount,
            fast_period=deed.fast,
            slow_period=deed.slow,
            interval="1s",
            stop=StopPolicy(StopKind.PERCENT, deed.stop_percent),
        )
        return str(operations.arm(account=self._account, order=order, by=BY))

    def _disarm(self, deed: Deed) -> str:
        position = self._position(deed.symbol, PositionState.ARMED)
        operations.disarm(position=position, reason="changed my mind", by=BY)
        return str(position)

    def _close_now(self, deed: Deed) -> str:
        position = self._position(deed.symbol, PositionState.ACTIVE)
        self._hand_over([operations.close_now(position=position, reason="enough", by=BY)])
        return str(position)

    def _exempt(self, deed: Deed) -> str:
        now = gateway.utc_now()
        slot = Slot.of(self._account, deed.symbol, deed.side)
        exempt(slot=slot, until=now + timedelta(seconds=float(deed.amount)), reason="mine", by=BY, at=now)
        return f"{slot} for {deed.amount} s"

    def _pause(self, *, paused: bool) -> str:
        changed = operations.pause_entries(account=self._account, paused=paused, reason="soak", by=BY)
        return "changed" if changed else "as it was"

    def _panic(self) -> str:
        intents = operations.panic(account=self._account, reason="panic", by=BY)
        self._hand_over(intents)
        return f"{len(intents)} exits"

    def _position(self, symbol: str, state: PositionState) -> Position:
        mine = Position.objects.select_related("slot__account").filter(slot__symbol=symbol, state=state)
        position = mine.first()
        if position is None:
            raise Idle(f"no position is {state} there")
        return position

    def _hand_over(self, intents: Iterable[OrderIntent]) -> None:
        known = {intent.pk: intent for intent in intents}
        for intent_id in operations.hand_over(known.values()).ours:
            operations.execute_here(known[intent_id])
