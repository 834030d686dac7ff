"""A position of Core's as the record of its entry leaves it, quicker than by entering."""

import time

from tests import factories
from tests.trading.world import PRICE
from trading.domain.lifecycle import IntentState
from trading.domain.types import Side
from trading.models import Account, OrderAttempt, Position
from trading.models.intent import AttemptStatus, Purpose

# A buyer pays his fee in base currency.
BOUGHT, HELD = "0.01", {Side.LONG: "0.00999", Side.SHORT: "0.01"}


def position(symbol: str, side: Side, *, of: Account, order_id: int) -> Position:
    """Active since now, entered at `PRICE` by the order with this id at the exchange, for `BOUGHT`."""
    now_ms = int(time.time() * 1000)
    entered = factories.core_position(
        symbol, side, of=of, entry=PRICE, quantity=HELD[side], extreme_time_ms=now_ms
    )
    intent = factories.intent(
        entered.slot, purpose=Purpose.ENTRY, state=IntentState.DONE, position=entered, attempts_made=1
    )
    OrderAttempt.objects.create(
        intent=intent,
        number=1,
        client_order_id=f"entry-{intent.pk}-1",
        timestamp_ms=now_ms,
        status=AttemptStatus.EXECUTED,
        order_id=str(order_id),
    )
    return entered
