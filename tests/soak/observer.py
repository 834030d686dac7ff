"""Takes sights: asks the simulator for its ledger, and Robson's database for what Robson knows."""

import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from robson.local.simulator import Control
from safetynet.models import Exemption, GuardedPosition
from safetynet.observing import in_force
from simulator.positions import dust, sign
from simulator.symbols import CATALOG
from tests.soak.market import Tape
from tests.soak.sight import CorePart, Guard, Held, Robson, Sight
from trading.domain.lifecycle import LIVE_GUARD_STATES, OWNED_STATES
from trading.domain.types import Side
from trading.models import Fill, Position
from trading.models.intent import Purpose


class Observer:
    """Takes a sight whenever it is asked. Uses a connection to the database of its own thread."""

    def __init__(self, control: Control, tape: Tape) -> None:
        self._control = control
        self._tape = tape
        self._filled_ms: dict[int, int] = {}
        self._last = Robson()

    def look(self) -> Sight:
        """The ledger first: whatever it shows had been committed by Robson before. Raises SimulatorError."""
        at, ledger = time.time(), self._control.ledger()
        try:
            self._last, stale = self._robson(), False
        except DatabaseError:
            connection.close()
            stale = True
        pairs = [pair for account in ledger["accounts"] for pair in account["pairs"]]
        held = tuple(one for pair in pairs if (one := self._held(pair)) is not None)
        return Sight(at, held, self._last, tuple(ledger["violations"]), stale)

    def _held(self, pair: Mapping[str, Any]) -> Held | None:
        symbol, quantity = pair["symbol"], Decimal(pair["position"])
        price = self._tape.last(symbol)
        if price is None:
            return None
        least = dust(CATALOG[symbol], price)
        direction = sign(quantity, least)
        if not direction:
            return None
        side = Side.LONG if direction > 0 else Side.SHORT
        return Held(symbol, side, abs(quantity), least, price, pair["episode"])

    def _robson(self) -> Robson:
        owned = Position.objects.select_related("slot").filter(state__in=OWNED_STATES)
        guards = GuardedPosition.objects.select_related("slot").filter(state__in=LIVE_GUARD_STATES)
        exempt = Exemption.objects.filter(in_force(timezone.now())).values_list("slot__symbol", "slot__side")
        return Robson(
            cores=tuple(self._core(position) for position in owned),
            guards=tuple(_guard(guard) for guard in guards),
            exempt=frozenset((symbol, Side(side)) for symbol, side in exempt),
        )

    def _core(self, position: Position) -> CorePart:
        part = CorePart(
            position.pk,
            position.slot.symbol,
            position.slot.position_side,
            position.state,
            position.quantity,
        )
        if position.entry_price is None:
            return part
        if position.pk not in self._filled_ms:
            self._filled_ms[position.pk] = _filled_ms(position)
        return replace(
            part,
            entry=position.entry_price,
            distance=position.distance,
            filled_ms=self._filled_ms[position.pk],
        )


def _filled_ms(position: Position) -> int:
    entry = Fill.objects.filter(
        attempt__intent__position=position, attempt__intent__purpose=Purpose.ENTRY
    ).aggregate(last=Max("traded_at"))["last"]
    return int(entry.timestamp() * 1_000) if entry else position.extreme_time_ms


def _guard(guard: GuardedPosition) -> Guard:
    return Guard(
        guard.pk,
        guard.slot.symbol,
        guard.slot.position_side,
        guard.state,
        guard.quantity,
        guard.stop_price,
        guard.touched_price is not None,
    )
