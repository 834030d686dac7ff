"""Whose coins were traded: each of Robson's orders against what its owner had when it was executed."""

from collections import defaultdict
from decimal import Decimal

from simulator.orders import Order
from tests.model.bridge import Bridge
from trading.domain.client_ids import parse_client_id
from trading.domain.episodes import INTEREST_SHARE
from trading.domain.lifecycle import OWNED_STATES
from trading.models import OrderIntent, Position
from trading.models.intent import Owner

ZERO = Decimal(0)
LOT = Decimal("0.00001")


class Ownership:
    """Reads the exchange's own record of Robson's orders, each once."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._read = 0
        self._entered: dict[int, Decimal] = defaultdict(Decimal)
        self._exited: dict[int, Decimal] = defaultdict(Decimal)

    def check(self) -> None:
        """Raises AssertionError for an exit that traded more than was its owner's."""
        fresh = self._bridge.executed[self._read :]
        self._read += len(fresh)
        for order, before in fresh:
            named = parse_client_id(order.client_order_id)
            assert named is not None, order.client_order_id
            intent = OrderIntent.objects.get(pk=named.intent_id)
            self._judge(intent, order, before)

    def _judge(self, intent: OrderIntent, order: Order, before: Decimal) -> None:
        moved = _moved(order)
        if not intent.is_exit:
            self._entered[intent.position_id or 0] += moved
            return
        allowed = self._surplus(intent, before) if intent.owner == Owner.SAFETY_NET else self._own(intent)
        self._exited[intent.pk] += moved
        self._exited[-(intent.position_id or 0)] += moved
        # A short repays interest too, and its last lot is rounded up.
        slack = LOT if order.side == "SELL" else 2 * LOT + allowed * INTEREST_SHARE
        assert moved <= allowed + slack, f"{intent} of {intent.owner} traded {moved}, {allowed} was its own"

    def _own(self, intent: OrderIntent) -> Decimal:
        return Decimal(intent.quantity) - self._exited[intent.pk]

    def _surplus(self, intent: OrderIntent, before: Decimal) -> Decimal:
        """What is there on the intent's side, less what Core has in the same slot."""
        held = max(before if intent.order_side == "SELL" else -before, ZERO)
        owned = Position.objects.filter(slot_id=intent.slot_id, state__in=OWNED_STATES)
        core = sum((self._core_part(position) for position in owned), ZERO)
        return max(held - core, ZERO)

    def _core_part(self, position: Position) -> Decimal:
        return (position.quantity or self._entered[position.pk]) - self._exited[-position.pk]


def _moved(order: Order) -> Decimal:
    """Base currency, without the commission that a BUY leaves at the exchange."""
    if order.side == "SELL":
        return order.executed
    return order.executed - sum((fill.commission for fill in order.fills), ZERO)
