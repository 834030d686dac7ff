"""Episodes beside a position of Core's that trades by hand have made smaller, against a ledger of shares."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.factories import margin_pair, own_trade, symbol_rules
from trading.domain.episodes import Episode, derive_episode
from trading.domain.types import MarginPair, OrderSide, OwnTrade, Side, SymbolRules

BUY, SELL = OrderSide.BUY, OrderSide.SELL
RULES = symbol_rules(lot_step="0.001", min_quantity="0.001", min_notional="5")
PRICE = Decimal(100)
ENTERED = Decimal(1)


def entry_of_core(side: Side, trade_id: int = 1) -> OwnTrade:
    return own_trade(trade_id, side.entry_order, ENTERED, PRICE, order_id="core")


def beside(
    trades: list[OwnTrade], pair: MarginPair, side: Side, owned: str | Decimal, rules: SymbolRules = RULES
) -> Episode | None:
    """`owned` is what Core holds by now."""
    held = Decimal(owned) if side is Side.LONG else -Decimal(owned)
    return derive_episode(trades, pair, rules, price=PRICE, excluding_order_ids={"core"}, owned_quantity=held)


def holding(side: Side, quantity: Decimal, collateral: Decimal = Decimal(0)) -> MarginPair:
    if side is Side.LONG:
        return margin_pair(base_total=quantity + collateral)
    return margin_pair(base_total="0", base_debt=quantity)


@pytest.mark.parametrize("side", list(Side))
def test_what_core_has_lost_is_not_made_up_for_by_what_the_owner_opens_next(side: Side) -> None:
    trades = [
        entry_of_core(side),
        own_trade(2, side.exit_order, "0.4", "110"),
        own_trade(3, side.entry_order, "0.4", "120"),
    ]
    episode = beside(trades, holding(side, ENTERED), side, "0.6")
    assert episode is not None
    assert (episode.side, episode.quantity, episode.entry_price) == (side, Decimal("0.4"), Decimal(120))
    assert (episode.first_trade_id, episode.provisional) == (3, False)


@pytest.mark.parametrize("side", list(Side))
def test_a_part_that_the_owner_put_back_before_anyone_looked_is_cores(side: Side) -> None:
    trades = [
        entry_of_core(side),
        own_trade(2, side.exit_order, "0.4", "110"),
        own_trade(3, side.entry_order, "0.4", "120"),
    ]
    assert beside(trades, holding(side, ENTERED), side, ENTERED) is None


@pytest.mark.parametrize("side", list(Side))
def test_the_owner_closes_his_own_before_he_closes_cores(side: Side) -> None:
    trades = [
        entry_of_core(side),
        own_trade(2, side.entry_order, "0.3", "110"),
        own_trade(3, side.exit_order, "0.5", "115"),
        own_trade(4, side.entry_order, "0.1", "120"),
    ]
    episode = beside(trades, holding(side, Decimal("0.9")), side, "0.8")
    assert episode is not None
    assert (episode.quantity, episode.entry_price, episode.first_trade_id) == (
        Decimal("0.1"),
        Decimal(120),
        4,
    )


def test_a_small_short_beside_cores_smaller_one_is_not_taken_for_its_interest() -> None:
    trades = [entry_of_core(Side.SHORT), own_trade(2, BUY, "0.05", "110"), own_trade(3, SELL, "0.008", "120")]
    rules = replace(RULES, min_notional=Decimal("0.5"))
    episode = beside(trades, holding(Side.SHORT, Decimal("0.958")), Side.SHORT, "0.95", rules)
    assert episode is not None
    assert (episode.quantity, episode.entry_price) == (Decimal("0.008"), Decimal(120))


def test_interest_of_a_short_from_before_cores_entry_is_no_long() -> None:
    trades = [
        own_trade(1, SELL, "10", "90"),
        own_trade(2, BUY, "10.1", "90"),
        entry_of_core(Side.LONG, 3),
        own_trade(4, SELL, "0.3", "100"),
        own_trade(5, BUY, "0.5", "120"),
    ]
    episode = beside(trades, margin_pair(base_total="1.2"), Side.LONG, "0.7")
    assert episode is not None
    assert (episode.quantity, episode.entry_price, episode.first_trade_id) == (
        Decimal("0.5"),
        Decimal(120),
        5,
    )


def test_an_exit_of_cores_that_is_under_way_takes_nothing_from_the_owner() -> None:
    """A part of it is executed and known, and not yet counted as gone."""
    trades = [
        entry_of_core(Side.LONG),
        own_trade(2, BUY, "0.3", "110"),
        own_trade(3, SELL, "0.6", "110", order_id="core"),
    ]
    pair = margin_pair(base_total="1.5")
    episode = beside(trades, pair, Side.LONG, ENTERED)
    assert episode is not None
    assert (episode.quantity, episode.entry_price) == (Decimal("0.3"), Decimal(110))


@dataclass
class Shares:
    """Whose a pair is, step by step. `owed`: closed by hand beyond his own, and not looked at yet."""

    side: Side
    core: Decimal = ENTERED
    own: Decimal = Decimal(0)
    owed: Decimal = Decimal(0)
    trades: list[OwnTrade] = field(default_factory=list)
    settled: int = 0

    def more(self, quantity: Decimal, price: Decimal) -> None:
        self._trade(self.side.entry_order, quantity, price)
        back = min(quantity, self.owed)
        self.owed -= back
        self.own += quantity - back

    def less(self, quantity: Decimal, price: Decimal) -> None:
        quantity = min(quantity, self.own + self.core - self.owed - Decimal("0.1"))
        if quantity <= 0:
            return
        self._trade(self.side.exit_order, quantity, price)
        his = min(quantity, self.own)
        self.own -= his
        self.owed += quantity - his

    def look(self) -> None:
        """Reconciliation finds Core's part smaller, and says so."""
        if self.owed:
            self.core, self.owed, self.settled = self.core - self.owed, Decimal(0), len(self.trades)

    def _trade(self, side: OrderSide, quantity: Decimal, price: Decimal) -> None:
        self.trades.append(own_trade(len(self.trades) + 2, side, quantity, price))


STEPS = st.lists(
    st.tuples(st.sampled_from(["more", "less", "look"]), st.integers(1, 600), st.integers(90, 110)),
    max_size=20,
)


@settings(max_examples=300)
@given(side=st.sampled_from(list(Side)), steps=STEPS, thousandths=st.just(0) | st.integers(1, 3000))
def test_what_is_the_owners_is_guarded_whole_and_nothing_of_cores(
    side: Side, steps: list[tuple[str, int, int]], thousandths: int
) -> None:
    """It is derived as if Core were not there, and as if what Core has lost had never been."""
    collateral = Decimal(thousandths) / 1000 if side is Side.LONG else Decimal(0)
    shares = Shares(side)
    for what, quantity, price in steps:
        if what == "look":
            shares.look()
        else:
            getattr(shares, what)(Decimal(quantity) / 1000, Decimal(price))

    held = holding(side, shares.core - shares.owed + shares.own, collateral)
    found = beside([entry_of_core(side), *shares.trades], held, side, shares.core)

    alone = holding(side, shares.own, collateral)
    since = shares.trades[shares.settled :]
    assert found == (None if shares.owed else derive_episode(since, alone, RULES, price=PRICE))
    assert found is None or shares.core + found.quantity <= abs(held.base.net)
