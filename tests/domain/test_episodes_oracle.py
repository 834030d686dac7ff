"""Episodes against a second opinion: exact fractions, a list of lots, every crossing looked for afresh."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.factories import margin_pair, own_trade, symbol_rules
from trading.domain.episodes import derive_episode
from trading.domain.types import OrderSide, OwnTrade, Side

LOT, MIN_NOTIONAL, LAST_PRICE = Fraction(1, 1000), 5, 100
RULES = symbol_rules(lot_step="0.001", min_quantity="0.001", min_notional="5")


@st.composite
def histories(draw: st.DrawFn) -> list[OwnTrade]:
    quantity = st.integers(1, 60) | st.integers(1, 3000)
    rows = draw(
        st.lists(st.tuples(st.booleans(), quantity, st.integers(90, 110), st.booleans()), max_size=25)
    )
    trades = []
    for number, (buys, thousandths, price, base_fee) in enumerate(rows, start=1):
        amount = Decimal(thousandths) / 1000
        pays_base = buys and base_fee
        trades.append(
            own_trade(
                number,
                OrderSide.BUY if buys else OrderSide.SELL,
                amount,
                Decimal(price),
                commission=amount / 1000 if pays_base else Decimal("0.1"),
                commission_asset="BTC" if pays_base else "USDT",
            )
        )
    return trades


def changes_of(trades: list[OwnTrade]) -> list[Fraction]:
    signed = [Fraction(t.quantity) * (1 if t.side is OrderSide.BUY else -1) for t in trades]
    return [
        change - (Fraction(t.commission) if t.commission_asset == "BTC" else 0)
        for change, t in zip(signed, trades, strict=True)
    ]


def dust(quantity: Fraction, price: Fraction | int) -> bool:
    lots = quantity // LOT
    return lots == 0 or lots * LOT * price < MIN_NOTIONAL


def begins_at(trades: list[OwnTrade]) -> int | None:
    """The index of the trade with which the present episode began."""
    changes = changes_of(trades)
    sums = [sum(changes[: i + 1], Fraction(0)) for i in range(len(changes))]
    for i in range(len(sums) - 1, -1, -1):
        before = sums[i - 1] if i else Fraction(0)
        if before == 0 or before * sums[i] < 0:
            return i
        earlier = sums[i - 2] if i > 1 else Fraction(0)
        grew = abs(sums[i]) > abs(before)
        shrunk = earlier * before > 0 and abs(before) < abs(earlier)
        if grew and shrunk and dust(abs(before), Fraction(trades[i - 1].price)):
            return i
        if grew and earlier < 0 < before <= -earlier / 100:
            return i
    return None


def lots_of(trades: list[OwnTrade], begin: int) -> list[tuple[Fraction, Fraction]]:
    """(quantity, price) of everything still held: reductions shrink every lot alike."""
    changes = changes_of(trades)
    held = sum(changes[: begin + 1], Fraction(0))
    lots = [(abs(held), Fraction(trades[begin].price))]
    for change, trade in zip(changes[begin + 1 :], trades[begin + 1 :], strict=True):
        if change * held > 0:
            lots.append((abs(change), Fraction(trade.price)))
        else:
            lots = [(quantity * (held + change) / held, price) for quantity, price in lots]
        held += change
    return lots


@settings(max_examples=200, deadline=None)
@given(trades=histories(), transferred=st.integers(-2000, 4000))
def test_episodes_agree_with_the_lots_that_are_still_held(trades: list[OwnTrade], transferred: int) -> None:
    explained = sum(changes_of(trades), Fraction(0))
    net = explained + Fraction(transferred, 1000)
    as_decimal = Decimal(net.numerator) / Decimal(net.denominator)
    pair = margin_pair(base_total=max(as_decimal, Decimal(0)), base_debt=max(-as_decimal, Decimal(0)))
    episode = derive_episode(trades, pair, RULES, price=Decimal(LAST_PRICE))

    side = Side.LONG if net > 0 else Side.SHORT
    quantity = max(Fraction(0), min(explained, net)) if net > 0 else -net
    if dust(quantity, LAST_PRICE):
        assert episode is None
        return
    assert episode is not None
    assert (episode.side, Fraction(episode.quantity)) == (side, quantity)
    assert Fraction(episode.collateral) == (net - quantity if net > 0 else 0)
    assert episode.provisional == (net < 0 and 2 * max(Fraction(0), -explained) < -net)
    if episode.provisional:
        assert (episode.entry_price, episode.first_trade_id) == (None, None)
        return
    begin = begins_at(trades)
    assert begin is not None
    lots = lots_of(trades, begin)
    assert sum(quantity for quantity, _ in lots) == abs(explained)
    average = sum(quantity * price for quantity, price in lots) / abs(explained)
    assert episode.entry_price is not None
    assert abs(Fraction(episode.entry_price) - average) < Fraction(1, 10**15)
    assert episode.first_trade_id == trades[begin].trade_id
    assert episode.opened_ms == trades[begin].time_ms
    assert episode.last_trade_id == trades[-1].trade_id


@given(trades=histories(), core=st.lists(st.booleans(), min_size=25, max_size=25))
def test_cores_trades_and_quantity_can_be_taken_out_together(
    trades: list[OwnTrade], core: list[bool]
) -> None:
    """Whatever Core holds of the same sign, the owner's part is derived as if Core were not there."""
    manual = [trade for trade, is_core in zip(trades, core, strict=False) if not is_core]
    owned, own = (
        sum(changes_of(part), Fraction(0)) for part in ([t for t in trades if t not in manual], manual)
    )
    if owned < 0 or own < 0:
        return
    total, alone = (Decimal(x.numerator) / Decimal(x.denominator) for x in (owned + own, own))
    beside = derive_episode(
        trades,
        margin_pair(base_total=total),
        RULES,
        price=Decimal(LAST_PRICE),
        excluding_order_ids={trade.order_id for trade in trades if trade not in manual},
        owned_quantity=total - alone,
    )
    assert beside == derive_episode(manual, margin_pair(base_total=alone), RULES, price=Decimal(LAST_PRICE))
