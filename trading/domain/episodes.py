"""Positions on isolated margin, which Binance does not report: derived from balances and own trades.

An episode is what the owner holds since the net position last crossed zero. Long: what the trades
explain, at most what is there; the rest is collateral. Short: the whole debt, interest included.

The entry price is the average cost: partial reductions leave it where it was, as on Binance's own
futures, so that selling a part does not move the owner's stop (first-in-first-out would). Each unit
weighs what was left of it after commission in the base asset.

Beside a position of Core's, a trade by hand against its side takes from what the owner holds first, and then
from Core's part. What Core's part has lost in this way is no debt of the owner's: he does not have to make up
for it before he holds something again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.domain.rounding import floor_market_quantity
from trading.domain.types import MarginPair, OrderSide, OwnTrade, Side, SymbolRules

ZERO = Decimal(0)
# More than interest makes of a debt in any time that one would hold it, less than one would trade by hand.
INTEREST_SHARE = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Episode:
    """A manual position in one pair. Quantities in base currency, prices in quote currency.

    `provisional`: the entry price cannot be derived and is None; protect from the current price and alert.
    `collateral`: base coins beside the position that no trade explains.
    `first_trade_id` names the episode; like `opened_ms` and `last_trade_id` it is None without trades.
    """

    side: Side
    quantity: Decimal
    entry_price: Decimal | None
    provisional: bool
    collateral: Decimal
    opened_ms: int | None
    first_trade_id: int | None
    last_trade_id: int | None


@dataclass(frozen=True, slots=True)
class _Explained:
    """What the trades so far add up to. `quantity` is signed, `cost` is what the held units were traded for.

    `over`: the position was closed as far as it can be, and the next increase is a new one.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    over: bool = True
    opened_ms: int | None = None
    first_trade_id: int | None = None
    last_trade_id: int | None = None


def derive_episode(
    trades: Iterable[OwnTrade],
    pair: MarginPair,
    rules: SymbolRules,
    *,
    price: Decimal,
    excluding_order_ids: Collection[str] = frozenset(),
    owned_quantity: Decimal = ZERO,
) -> Episode | None:
    """The owner's manual position in a pair, or None when there is none beyond dust.

    `trades` is the pair's history from a moment when it was flat, in any order, duplicates allowed.
    `owned_quantity` (signed, base) is what Core holds now and `excluding_order_ids` the orders of exactly
    those live positions; orders of closed Core positions must stay in, or the history would not add up.

    Raises ValueError for a trade of another symbol.
    """
    core, manual = _split(trades, pair.symbol, excluding_order_ids)
    explained, taken = _Explained(), _taken_from_core(core, owned_quantity, rules.base_asset)
    for trade in manual:
        explained = _after(explained, trade, rules)
        if taken and trade.trade_id > core[0].trade_id:
            explained, taken = _at_cores_expense(explained, taken, trade, rules)
    there = _surplus(pair.base.net, owned_quantity)
    episode = _long(explained, there) if there > 0 else _short(explained, -there, pair, owned_quantity)
    return None if is_dust(episode.quantity, rules, price) else episode


def is_dust(quantity: Decimal, rules: SymbolRules, price: Decimal) -> bool:
    """Whether no market order could trade a quantity (base currency) at a price (quote currency)."""
    tradable = floor_market_quantity(quantity, rules)
    return tradable <= 0 or tradable < rules.min_quantity or tradable * price < rules.min_notional


def _split(
    trades: Iterable[OwnTrade], symbol: str, excluded: Collection[str]
) -> tuple[list[OwnTrade], list[OwnTrade]]:
    """Core's trades and the owner's, each once and oldest first."""
    by_id = {trade.trade_id: trade for trade in trades}
    if strangers := {trade.symbol for trade in by_id.values()} - {symbol}:
        raise ValueError(f"trades of {sorted(strangers)} cannot explain a position in {symbol}")
    ordered = [by_id[trade_id] for trade_id in sorted(by_id)]
    core = [trade for trade in ordered if trade.order_id in excluded]
    return core, [trade for trade in ordered if trade.order_id not in excluded]


def _taken_from_core(core: Iterable[OwnTrade], owned: Decimal, base_asset: str) -> Decimal:
    """What Core has traded and does not own any more: taken out by hand. Signed as its position, else 0."""
    taken = sum((_change(trade, base_asset) for trade in core), ZERO) - owned
    return taken if taken * owned > 0 else ZERO


def _at_cores_expense(
    explained: _Explained, taken: Decimal, trade: OwnTrade, rules: SymbolRules
) -> tuple[_Explained, Decimal]:
    """What was traded against Core's side beyond what was the owner's, as far as it made Core's smaller."""
    if explained.quantity * taken >= 0:
        return explained, taken
    given = min(taken, -explained.quantity, key=abs)
    return _smaller(explained, explained.quantity + given, trade, rules), taken - given


def _surplus(net: Decimal, owned: Decimal) -> Decimal:
    """What is there beside Core's part. Selling out of Core's long by hand does not make a short: the
    result has the sign of what is really there, and is never more than that.
    """
    surplus = net - owned
    if net > 0:
        return max(ZERO, min(surplus, net))
    return min(ZERO, max(surplus, net))


def _long(explained: _Explained, there: Decimal) -> Episode:
    quantity = max(ZERO, min(explained.quantity, there))
    return _episode(Side.LONG, quantity, explained, collateral=there - quantity)


def _short(explained: _Explained, debt: Decimal, pair: MarginPair, owned: Decimal) -> Episode:
    known = max(ZERO, -explained.quantity)
    unknown = debt - known
    if owned < 0 and unknown <= pair.base.interest - owned * INTEREST_SHARE:
        # The interest belongs to Core's debt, and must not look like a small short of the owner's.
        return _episode(Side.SHORT, min(known, debt), explained)
    if unknown > known:
        # An average over the smaller part would be no entry price of the whole.
        return Episode(
            Side.SHORT,
            debt,
            entry_price=None,
            provisional=True,
            collateral=ZERO,
            opened_ms=None,
            first_trade_id=None,
            last_trade_id=explained.last_trade_id,
        )
    return _episode(Side.SHORT, debt, explained)


def _episode(side: Side, quantity: Decimal, explained: _Explained, *, collateral: Decimal = ZERO) -> Episode:
    return Episode(
        side,
        quantity,
        entry_price=explained.cost / abs(explained.quantity) if explained.quantity else None,
        provisional=False,
        collateral=collateral,
        opened_ms=explained.opened_ms,
        first_trade_id=explained.first_trade_id,
        last_trade_id=explained.last_trade_id,
    )


def _after(before: _Explained, trade: OwnTrade, rules: SymbolRules) -> _Explained:
    change = _change(trade, rules.base_asset)
    quantity = before.quantity + change
    if before.quantity * change < 0:
        if quantity * before.quantity >= 0:
            return _smaller(before, quantity, trade, rules)
    elif not before.over:
        cost = before.cost + trade.price * abs(change)
        return replace(before, quantity=quantity, cost=cost, last_trade_id=trade.trade_id)
    return _Explained(
        quantity=quantity,
        cost=trade.price * abs(quantity),
        over=_is_repaid_interest(before.quantity, quantity),
        opened_ms=trade.time_ms,
        first_trade_id=trade.trade_id,
        last_trade_id=trade.trade_id,
    )


def _smaller(before: _Explained, quantity: Decimal, trade: OwnTrade, rules: SymbolRules) -> _Explained:
    return replace(
        before,
        quantity=quantity,
        cost=before.cost * quantity / before.quantity,
        over=is_dust(abs(quantity), rules, trade.price),
        last_trade_id=trade.trade_id,
    )


def _change(trade: OwnTrade, base_asset: str) -> Decimal:
    paid = trade.commission if trade.commission_asset == base_asset else ZERO
    return (trade.quantity if trade.side is OrderSide.BUY else -trade.quantity) - paid


def _is_repaid_interest(before: Decimal, quantity: Decimal) -> bool:
    """Buying back a short takes more than was sold, because interest is owed too, and trades cannot show
    that: the small long that seems left over must not give its age and price to the next real one.
    """
    return before < 0 < quantity <= -before * INTEREST_SHARE
