"""What the control API tells about the inside of the exchange."""

from typing import Any

from simulator import positions
from simulator.accounts import Account, Pair
from simulator.exchange import Exchange, Refusal
from simulator.ledger import ZERO, Wallet
from simulator.orders import Fill, Order
from simulator.symbols import fixed

Json = dict[str, Any]

_SIDES = {1: "long", 0: "flat", -1: "short"}


def order(one: Order) -> Json:
    """All that is known of an order. `received_ns` is monotonic, `received_wall_ns` since the epoch."""
    return {
        "order_id": one.order_id,
        "client_order_id": one.client_order_id,
        "api_key": one.api_key,
        "symbol": one.symbol,
        "side": one.side,
        "type": one.request.type,
        "side_effect": one.request.side_effect,
        "status": one.status,
        "quantity": fixed(one.quantity),
        "executed": fixed(one.executed),
        "quote_executed": fixed(one.quote_executed),
        "price": fixed(one.request.price or ZERO),
        "stop_price": fixed(one.request.stop_price or ZERO),
        "loan": fixed(one.loan),
        "by_hand": one.by_hand,
        "received_ns": one.received_ns,
        "received_wall_ns": one.received_wall_ns,
        "time_ms": one.time_ms,
        "update_ms": one.update_ms,
        "fills": [_fill(fill) for fill in one.fills],
    }


def _fill(fill: Fill) -> Json:
    return {
        "trade_id": fill.trade_id,
        "price": fixed(fill.price),
        "quantity": fixed(fill.quantity),
        "quote": fixed(fill.quote),
        "commission": fixed(fill.commission),
        "commission_asset": fill.commission_asset,
        "is_maker": fill.is_maker,
        "time_ms": fill.time_ms,
    }


def ledger(exchange: Exchange) -> Json:
    """Balances, debts and positions of everybody, and what should never have happened."""
    entries = [(account, pair) for account in exchange.accounts.values() for pair in account.pairs.values()]
    return {
        "accounts": [_account(exchange, account) for account in exchange.accounts.values()],
        "violations": [violation(one) for one in exchange.engine.violations],
        "leftover_debts": [
            {"api_key": account.api_key, **_pair(exchange, pair)}
            for account, pair in entries
            if side_of(exchange, pair) == "flat" and (pair.base.debt or pair.quote.debt)
        ],
        "refusals": [_refusal(one) for one in exchange.refusals],
        "imbalance": {asset: str(amount) for asset, amount in imbalance(exchange).items() if amount},
    }


def _refusal(one: Refusal) -> Json:
    return {
        "api_key": one.api_key,
        "symbol": one.request.symbol,
        "side": one.request.side,
        "type": one.request.type,
        "side_effect": one.request.side_effect,
        "client_order_id": one.request.client_order_id,
        "code": one.code,
        "msg": one.msg,
        "time_ms": one.time_ms,
    }


def imbalance(exchange: Exchange) -> dict[str, Any]:
    """Per asset: all wallets plus all outside accounts. Anything but zero is a defect of the simulator."""
    wallets = [
        wallet
        for account in exchange.accounts.values()
        for pair in account.pairs.values()
        for wallet in (pair.base, pair.quote)
    ]
    return {
        asset: sum((wallet.total for wallet in wallets if wallet.asset == asset), ZERO)
        + exchange.engine.ledger.outside_total(asset)
        for asset in {wallet.asset for wallet in wallets}
    }


def violation(one: positions.Violation) -> Json:
    """A violation; quantities in base currency."""
    return {
        "kind": one.kind,
        "api_key": one.api_key,
        "symbol": one.symbol,
        "order_id": one.order_id,
        "client_order_id": one.client_order_id,
        "before": fixed(one.before),
        "after": fixed(one.after),
        "time_ms": one.time_ms,
    }


def side_of(exchange: Exchange, pair: Pair) -> str:
    """`long`, `short`, or `flat` within dust at the last price."""
    price = exchange.board.last_price(pair.info.symbol) or pair.info.reference_price
    return _SIDES[positions.sign(pair.position, positions.dust(pair.info, price))]


def _account(exchange: Exchange, account: Account) -> Json:
    return {
        "api_key": account.api_key,
        "uid": account.uid,
        "pairs": [_pair(exchange, exchange.pair(account.api_key, symbol)) for symbol in list(account.pairs)],
    }


def _pair(exchange: Exchange, pair: Pair) -> Json:
    return {
        "symbol": pair.info.symbol,
        "position": fixed(pair.position),
        "side": side_of(exchange, pair),
        "collateral": fixed(pair.collateral),
        "episode": pair.episode.number,
        "exits": list(pair.episode.exits),
        "base": _wallet(pair.base),
        "quote": _wallet(pair.quote),
    }


def _wallet(wallet: Wallet) -> Json:
    return {
        "asset": wallet.asset,
        "free": fixed(wallet.free),
        "locked": fixed(wallet.locked),
        "borrowed": fixed(wallet.borrowed),
        "interest": fixed(wallet.interest),
        "net": fixed(wallet.net),
    }
