"""Whatever clients do, no asset appears or vanishes, and no balance goes below zero."""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from simulator import reports
from simulator.errors import BinanceError
from simulator.faults import Fault
from simulator.ledger import Ledger, LedgerError, Wallet
from simulator.market.book import Depth
from simulator.orders import SIDE_EFFECTS, SIDES
from tests.simulator.support import BTC, KEY, Desk, desk

QUANTITIES = st.integers(1, 60_000).map(lambda lots: str(Decimal(lots) / 100_000))
PRICES = st.integers(4_000_000, 8_000_000).map(lambda cents: str(Decimal(cents) / 100))
AMOUNTS = st.integers(1, 2_000_000).map(lambda cents: Decimal(cents) / 100)
KINDS = ("MARKET", "LIMIT", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT")


class Trading(RuleBasedStateMachine):
    """Random orders, cancels, loans, prices and faults on one account."""

    def __init__(self) -> None:
        super().__init__()
        self.desk: Desk = desk(interest_per_hour=Decimal("0.0001"))

    def attempt(self, action: Any, *args: Any, **kwargs: Any) -> None:
        """Do it; being refused is fine."""
        try:
            action(*args, **kwargs)
        except BinanceError:
            return

    @rule(
        side=st.sampled_from(SIDES),
        quantity=QUANTITIES,
        kind=st.sampled_from(KINDS),
        price=PRICES,
        stop=PRICES,
        effect=st.sampled_from(SIDE_EFFECTS),
        life=st.sampled_from(("GTC", "IOC", "FOK")),
        by_hand=st.booleans(),
    )
    def order(self, side: str, quantity: str, kind: str, effect: str, **wish: Any) -> None:
        """Place any kind of order."""
        options: dict[str, Any] = {"side_effect": effect, "by_hand": wish["by_hand"]}
        if kind in ("LIMIT", "STOP_LOSS_LIMIT"):
            options |= {"price": wish["price"], "time_in_force": wish["life"]}
        if kind not in ("MARKET", "LIMIT"):
            options["stop_price"] = wish["stop"]
        self.attempt(self.desk.place, side, quantity, type=kind, **options)

    @rule(quote=AMOUNTS, side=st.sampled_from(SIDES), effect=st.sampled_from(SIDE_EFFECTS))
    def order_by_value(self, quote: Decimal, side: str, effect: str) -> None:
        """A market order sized in quote currency."""
        self.attempt(self.desk.place, side, quote_quantity=str(quote), side_effect=effect)

    @rule(price=PRICES)
    def move(self, price: str) -> None:
        """The market moves."""
        self.desk.price(price)

    @rule(index=st.integers(0, 10))
    def cancel(self, index: int) -> None:
        """Cancel one of the open orders."""
        orders = self.desk.exchange.engine.registry.open_orders(KEY, BTC)
        if orders:
            self.desk.exchange.cancel(KEY, BTC, orders[index % len(orders)].order_id)

    @rule(asset=st.sampled_from(("BTC", "USDT")), amount=AMOUNTS, repays=st.booleans())
    def lend(self, asset: str, amount: Decimal, repays: bool) -> None:
        """Borrow or repay by hand."""
        scaled = amount / 10_000 if asset == "BTC" else amount
        act = self.desk.exchange.repay if repays else self.desk.exchange.borrow
        self.attempt(act, KEY, BTC, asset, scaled)

    @rule(minutes=st.integers(1, 200))
    def wait(self, minutes: int) -> None:
        """Time passes, interest accrues."""
        self.desk.clock.ms += minutes * 60_000

    @rule(lots=st.integers(0, 20_000), levels=st.integers(0, 5))
    def thin(self, lots: int, levels: int) -> None:
        """The book gets thinner."""
        self.desk.exchange.board.set_depth(BTC, Depth(levels=levels, quantity=Decimal(lots) / 100_000))

    @rule(ratio=st.sampled_from(("0", "0.3", "1")))
    def fill_partly(self, ratio: str) -> None:
        """The next order fills only in part."""
        self.desk.exchange.faults.arm(Fault("partial_fill", options={"ratio": ratio}, count=1))

    @rule(amount=AMOUNTS)
    def deposit_or_withdraw(self, amount: Decimal) -> None:
        """The owner sets a free balance."""
        self.desk.exchange.set_free(KEY, BTC, "USDT", amount)

    @invariant()
    def nothing_appears_or_vanishes(self) -> None:
        """Wallets and the outside world sum to zero for each asset."""
        assert all(amount == 0 for amount in reports.imbalance(self.desk.exchange).values())

    @invariant()
    def nothing_is_negative(self) -> None:
        """Neither balances nor debts."""
        pair = self.desk.exchange.pair(KEY, BTC)
        for wallet in (pair.base, pair.quote):
            assert min(wallet.free, wallet.locked, wallet.borrowed, wallet.interest) >= 0

    @invariant()
    def locked_is_what_open_orders_reserved(self) -> None:
        """No balance stays locked without an order, and no order is uncovered."""
        pair = self.desk.exchange.pair(KEY, BTC)
        orders = self.desk.exchange.engine.registry.open_orders(KEY, BTC)
        for side, wallet in (("BUY", pair.quote), ("SELL", pair.base)):
            reserved = sum((order.reserved for order in orders if order.side == side), Decimal(0))
            assert wallet.locked == reserved

    @invariant()
    def orders_add_up_to_their_fills(self) -> None:
        """Executed quantity and cost are the sums of the fills, and never more than was ordered."""
        for order in self.desk.exchange.engine.registry.orders:
            assert order.executed == sum((fill.quantity for fill in order.fills), Decimal(0))
            assert order.quote_executed == sum((fill.quote for fill in order.fills), Decimal(0))
            assert 0 <= order.executed <= order.quantity
            assert (order.status == "FILLED") == (order.executed == order.quantity)


Trading.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestTrading = Trading.TestCase


@given(st.lists(st.tuples(st.sampled_from(("lock", "unlock", "pay", "receive")), st.integers(-5, 50))))
def test_ledger_refuses_whatever_would_go_below_zero(postings: list[tuple[str, int]]) -> None:
    ledger, wallet = Ledger(), Wallet("USDT")
    for name, amount in postings:
        before = (wallet.free, wallet.locked)
        try:
            if name in ("pay", "receive"):
                getattr(ledger, name)(wallet, Decimal(amount), "market")
            else:
                getattr(ledger, name)(wallet, Decimal(amount))
        except LedgerError:
            assert (wallet.free, wallet.locked) == before
        assert min(wallet.free, wallet.locked) >= 0
        assert wallet.total + ledger.outside_total("USDT") == 0
