"""Telling users what happened to their orders and balances."""

from collections.abc import Callable
from decimal import Decimal

from simulator import events
from simulator.accounts import Pair
from simulator.clock import Clock
from simulator.ledger import Wallet
from simulator.orders import Fill, Order
from simulator.symbols import fixed

Sink = Callable[[str, str, events.Event], None]


class Announcer:
    """`sinks` are told (API key, symbol, event) of everything that concerns a user."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sinks: list[Sink] = []

    def report(self, order: Order, kind: str, fill: Fill | None = None) -> None:
        """An execution report of this kind."""
        if self.sinks:
            event = events.execution_report(order, kind, self.clock.now_ms(), fill)
            self._tell(order.api_key, order.symbol, event)

    def balances(self, pair: Pair, api_key: str) -> None:
        """Both balances of a pair, as they are now."""
        if self.sinks:
            self._tell(api_key, pair.info.symbol, events.account_position(pair, self.clock.now_ms()))

    def change(self, pair: Pair, api_key: str, wallet: Wallet, amount: Decimal) -> None:
        """A balance changed by `amount` outside of any order."""
        if self.sinks and amount:
            event = events.balance_update(wallet.asset, fixed(amount), self.clock.now_ms())
            self._tell(api_key, pair.info.symbol, event)

    def _tell(self, api_key: str, symbol: str, event: events.Event) -> None:
        for sink in self.sinks:
            sink(api_key, symbol, event)
