"""Every order ever accepted, and the ways to find one."""

from collections import defaultdict

from simulator import errors
from simulator.orders import Fill, Order

ORDERS_PER_MS = 100

Owner = tuple[str, str]


class Registry:
    """Orders and fills of all accounts. An `Owner` is (API key, symbol).

    Ids begin with the time of the start (ms), so that an exchange started again never repeats an id that a
    client remembers. They stay far below 2**53, where JSON numbers end to be exact.
    """

    def __init__(self, started_ms: int) -> None:
        self._first_id = started_ms * ORDERS_PER_MS
        self.orders: list[Order] = []
        self._by_owner: dict[Owner, dict[int, Order]] = defaultdict(dict)
        self._by_client_id: dict[tuple[str, str, str], Order] = {}
        self._fills: dict[Owner, list[Fill]] = defaultdict(list)
        self._live: dict[str, dict[int, Order]] = defaultdict(dict)
        self._last_trade: dict[str, int] = {}

    def next_order_id(self) -> int:
        """Order ids grow by one, over all symbols."""
        return self._first_id + len(self.orders)

    def next_trade_id(self, symbol: str) -> int:
        """Trade ids grow by one per symbol."""
        self._last_trade[symbol] = self._last_trade.get(symbol, self._first_id) + 1
        return self._last_trade[symbol]

    def add(self, order: Order) -> None:
        """Accept an order. A later one with the same client id hides an earlier, ended one from look-ups."""
        self.orders.append(order)
        self._by_owner[order.api_key, order.symbol][order.order_id] = order
        self._by_client_id[order.api_key, order.symbol, order.client_order_id] = order
        self._live[order.symbol][order.order_id] = order

    def note_fill(self, order: Order, fill: Fill) -> None:
        """Remember a fill for the account's trade list."""
        self._fills[order.api_key, order.symbol].append(fill)

    def ended(self, order: Order) -> None:
        """The order is no longer open."""
        self._live[order.symbol].pop(order.order_id, None)

    def live(self, symbol: str) -> list[Order]:
        """Open orders of everybody on a symbol, oldest first."""
        return list(self._live[symbol].values()) if symbol in self._live else []

    def open_orders(self, api_key: str, symbol: str) -> list[Order]:
        """Open orders of one account on a symbol, oldest first."""
        return [order for order in self.live(symbol) if order.api_key == api_key]

    def all_orders(self, api_key: str, symbol: str) -> list[Order]:
        """All orders of one account on a symbol, oldest first."""
        return list(self._by_owner[api_key, symbol].values())

    def fills(self, api_key: str, symbol: str) -> list[Fill]:
        """All fills of one account on a symbol, oldest first."""
        return self._fills[api_key, symbol]

    def find(self, api_key: str, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        """The order with this id, or else the newest with this client id. Raises -2013."""
        order: Order | None
        if order_id is not None:
            order = self._by_owner[api_key, symbol].get(order_id)
        else:
            order = self._by_client_id.get((api_key, symbol, client_id or ""))
        if order is None or (client_id is not None and order.client_order_id != client_id):
            raise errors.no_such_order()
        return order

    def is_client_id_open(self, api_key: str, symbol: str, client_id: str) -> bool:
        """Is there an open order of this name? An ended one does not count, filled or not."""
        order = self._by_client_id.get((api_key, symbol, client_id))
        return order is not None and order.is_live
