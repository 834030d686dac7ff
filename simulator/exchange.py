"""The whole exchange as one object: accounts, their pairs, orders and loans. Usable without any socket."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from simulator import errors, lending
from simulator.accounts import Account, Pair, open_pair
from simulator.announcer import Announcer
from simulator.clock import Clock
from simulator.engine import Arrival, Engine, arrival
from simulator.faults import Faults
from simulator.ledger import Wallet
from simulator.market.board import Board
from simulator.market.trades import TradePrint
from simulator.orders import Order, OrderRequest
from simulator.settings import Settings
from simulator.symbols import CATALOG, SymbolInfo

FIRST_UID = 350_000_001
FIRST_TRANSACTION = 100_000_001
REFUSALS_KEPT = 1_000

Balances = Mapping[str, Mapping[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A well-formed order that was not accepted, and why."""

    api_key: str
    request: OrderRequest
    code: int
    msg: str
    time_ms: int


class Exchange:
    """Isolated margin for many accounts on one board of prices.

    Every pair is created on first use, with the settings' collateral in its quote currency.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        catalog: Mapping[str, SymbolInfo] = CATALOG,
        board: Board | None = None,
        faults: Faults | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.catalog = catalog
        self.board = board or Board(self.clock, catalog)
        self.faults = faults or Faults()
        self.settings = settings or Settings()
        self.accounts: dict[str, Account] = {}
        self._keys_of_the_start: tuple[tuple[str, str], ...] = ()
        self.transactions = 0
        self.refusals: deque[Refusal] = deque(maxlen=REFUSALS_KEPT)
        self.announcer = Announcer(self.clock)
        self.engine = self._new_engine()
        self.board.listeners.append(self._on_print)

    def _on_print(self, trade: TradePrint) -> None:
        self.engine.on_print(trade)

    def _new_engine(self) -> Engine:
        engine = Engine(self.board, self.faults, self.settings, self.announcer)
        engine.pair_of = self.pair
        return engine

    def add_account(self, api_key: str, secret: str, balances: Balances | None = None) -> Account:
        """Open an account, or change the secret and the balances of an existing one.

        `balances` maps symbol to asset to the free amount wanted. Raises BinanceError for an unknown one.
        """
        self._check_balances(balances or {})
        account = self.accounts.get(api_key)
        if account is None:
            uid = FIRST_UID + len(self.accounts)
            account = self.accounts[api_key] = Account(api_key, secret, uid, self.clock.now_ms())
            for symbol in self.settings.initial_pairs:
                self.pair(api_key, symbol)
        account.secret = secret
        for symbol, wanted in (balances or {}).items():
            for asset, amount in wanted.items():
                self.set_free(api_key, symbol, asset, amount)
        return account

    def _check_balances(self, balances: Balances) -> None:
        for symbol, wanted in balances.items():
            info = self._margin_symbol(symbol)
            if not set(wanted) <= {info.base, info.quote}:
                raise errors.not_a_margin_asset()

    def _margin_symbol(self, symbol: str) -> SymbolInfo:
        info = self.catalog.get(symbol)
        if info is None:
            raise errors.invalid_symbol()
        if not info.margin_allowed:
            raise errors.pair_not_allowed()
        return info

    def pair(self, api_key: str, symbol: str) -> Pair:
        """The account's isolated pair, with interest charged up to now; created on first use.

        Raises -1121 for an unknown symbol, -3021 for one without margin trading.
        """
        account = self.accounts[api_key]
        pair = account.pairs.get(symbol)
        if pair is None:
            pair = self._create_pair(account, symbol)
        now_ms, rate = self.clock.now_ms(), self.settings.interest_per_hour
        lending.accrue(pair.base, rate=rate, now_ms=now_ms)
        lending.accrue(pair.quote, rate=rate, now_ms=now_ms)
        return pair

    def _create_pair(self, account: Account, symbol: str) -> Pair:
        pair = account.pairs[symbol] = open_pair(self._margin_symbol(symbol))
        self.engine.ledger.receive(pair.quote, self.settings.collateral, "owner")
        return pair

    def set_free(self, api_key: str, symbol: str, asset: str, amount: Decimal) -> None:
        """The owner deposits or withdraws until `amount` is free. Base currency becomes collateral."""
        pair = self.pair(api_key, symbol)
        wallet = self._wallet(pair, asset)
        change = amount - wallet.free
        if change >= 0:
            self.engine.ledger.receive(wallet, change, "owner")
        else:
            self.engine.ledger.pay(wallet, -change, "owner")
        if wallet is pair.base:
            pair.collateral += change
        self.announcer.change(pair, api_key, wallet, change)

    def place(
        self, api_key: str, request: OrderRequest, arrived: Arrival | None = None, *, by_hand: bool = False
    ) -> Order:
        """Place an order. Raises BinanceError when it is refused; then nothing has changed."""
        pair = self.pair(api_key, request.symbol)
        try:
            return self.engine.place(api_key, pair, request, arrived or arrival(by_hand=by_hand))
        except errors.BinanceError as error:
            self.refusals.append(Refusal(api_key, request, error.code, error.msg, self.clock.now_ms()))
            raise

    def find(self, api_key: str, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        """The order with this id or client id. Raises -2013."""
        self.pair(api_key, symbol)
        return self.engine.registry.find(api_key, symbol, order_id, client_id)

    def cancel(
        self,
        api_key: str,
        symbol: str,
        order_id: int | None = None,
        client_id: str | None = None,
        new_client_id: str | None = None,
    ) -> Order:
        """Cancel an open order. Raises -2011 when there is none of this id."""
        pair = self.pair(api_key, symbol)
        try:
            order = self.engine.registry.find(api_key, symbol, order_id, client_id)
        except errors.BinanceError as error:
            raise errors.unknown_order() from error
        return self.engine.cancel(pair, order, new_client_id)

    def cancel_all(self, api_key: str, symbol: str) -> list[Order]:
        """Cancel every open order of the pair. Raises -2011 when there is none."""
        pair = self.pair(api_key, symbol)
        orders = self.engine.registry.open_orders(api_key, symbol)
        if not orders:
            raise errors.unknown_order()
        return [self.engine.cancel(pair, order) for order in orders]

    def borrow(self, api_key: str, symbol: str, asset: str, amount: Decimal) -> int:
        """Borrow into the pair; returns the transaction id. Raises -3006, -3027."""
        pair = self.pair(api_key, symbol)
        self.engine.lend(pair, asset, amount)
        self.announcer.change(pair, api_key, self._wallet(pair, asset), amount)
        return self._transaction()

    def repay(self, api_key: str, symbol: str, asset: str, amount: Decimal) -> int:
        """Repay out of the free balance, interest first; returns the transaction id. Raises -3015, -3041."""
        pair = self.pair(api_key, symbol)
        wallet = self._wallet(pair, asset)
        lending.repay_exactly(self.engine.ledger, wallet, amount)
        self.announcer.change(pair, api_key, wallet, -amount)
        return self._transaction()

    def max_borrow(self, api_key: str, symbol: str, asset: str) -> Decimal:
        """The most that may be borrowed now, in that asset. Raises -3027 for an asset outside the pair."""
        pair = self.pair(api_key, symbol)
        self._wallet(pair, asset)
        price = self.board.last_price(symbol) or pair.info.reference_price
        return lending.max_borrow(pair, asset, price, self.settings.leverage)

    def reset(self) -> None:
        """A fresh exchange: the keys, balances and prices of the start; no orders, no faults."""
        self.accounts.clear()
        self.faults.clear()
        self.clock.skew_ms = 0
        self.transactions = 0
        self.refusals.clear()
        self.engine = self._new_engine()
        self.board.reset()
        self.start_with(self._keys_of_the_start)

    def start_with(self, keys: Iterable[tuple[str, str]]) -> None:
        """Open an account for each (API key, secret). These are what a reset comes back to."""
        self._keys_of_the_start = tuple(keys)
        for api_key, secret in self._keys_of_the_start:
            self.add_account(api_key, secret)

    def _wallet(self, pair: Pair, asset: str) -> Wallet:
        wallet = pair.wallet(asset)
        if wallet is None:
            raise errors.not_a_margin_asset()
        return wallet

    def _transaction(self) -> int:
        self.transactions += 1
        return FIRST_TRANSACTION + self.transactions - 1
