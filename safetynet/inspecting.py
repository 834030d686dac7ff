"""From a slot that has changed to what is really there: the questions that only such a slot is worth."""

from dataclasses import dataclass
from decimal import Decimal

from safetynet import looking, observing
from safetynet.domain import Situation
from safetynet.models import GuardedPosition
from safetynet.observing import Sight
from trading import queries
from trading.domain.episodes import Episode
from trading.exchange.port import Exchange
from trading.queries import Account


@dataclass(frozen=True, slots=True)
class Inspection:
    """`episode` is None when there is no position of the owner's; `lot` is the exchange's step, in base.

    `nothing`: too little to trade, which was told without asking for trades.
    """

    episode: Episode | None
    lot: Decimal
    nothing: bool


def inspect(
    account: Account, sight: Sight, situation: Situation, exchange: Exchange, price: Decimal
) -> Inspection:
    """Derive the owner's position in one slot. Raises ExchangeError or ValueError."""
    symbol = situation.slot.symbol
    guard = sight.guards.get(situation.slot)
    rules = exchange.symbol_rules(symbol)
    subject = looking.Subject(
        pair=sight.pairs[symbol],
        price=price,
        owned=observing.owned_quantity(sight, account.name, symbol),
        core_orders=queries.core_order_ids(account, symbol),
        past_orders=_orders_beside(guard),
        since=guard.first_trade_id if guard else None,
    )
    if looking.is_nothing(subject, rules):
        return Inspection(None, rules.lot_step, nothing=True)
    return Inspection(looking.find_episode(exchange, subject), rules.lot_step, nothing=False)


def closing_price(
    account: Account, guard: GuardedPosition, exchange: Exchange, until: int | None = None
) -> Decimal | None:
    """What the owner closed a guarded position at by hand (quote currency), by the account's own trades.

    `until` is the first trade of what came after. None if no trade shows it. Raises ExchangeError.
    """
    symbol = guard.slot.symbol
    after = guard.last_trade_id
    trades = exchange.trades(symbol, from_id=after + 1) if after else exchange.trades(symbol)
    since_ms = int(guard.opened_at.timestamp() * 1000)
    own = (
        trade for trade in trades if trade.time_ms >= since_ms and (until is None or trade.trade_id < until)
    )
    core_orders = queries.core_order_ids(account, symbol) | _orders_beside(guard)
    return looking.closing_price(own, guard.slot.position_side, core_orders)


def is_another(guard: GuardedPosition, episode: Episode) -> bool:
    """Whether the owner closed what is guarded, and opened anew, since it was last looked at."""
    return episode.first_trade_id is not None and 0 < guard.last_trade_id < episode.first_trade_id


def _orders_beside(guard: GuardedPosition | None) -> frozenset[str]:
    if guard is None or guard.beside_position_id is None:
        return frozenset()
    return queries.position_order_ids(guard.beside_position_id)
