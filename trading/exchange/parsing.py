"""Binance's account, orders and trades as domain values. Pure; raises BadAnswer naming the field."""

from dataclasses import dataclass, field
from decimal import Decimal

from trading.domain.types import AssetBalance, MarginPair, OrderReport, OrderSide, OwnTrade
from trading.exchange import fields
from trading.exchange.errors import BadAnswer
from trading.exchange.fields import Row


@dataclass(frozen=True, slots=True)
class ListenToken:
    """Admission to the user data of one isolated pair, until `expires_ms` (exchange time)."""

    token: str = field(repr=False)
    expires_ms: int


def margin_pairs(answer: object) -> dict[str, MarginPair]:
    pairs: dict[str, MarginPair] = {}
    for asset in fields.rows(fields.present(fields.row(answer, "account"), "assets"), "assets"):
        pair = _margin_pair(asset)
        if pair.symbol in pairs:
            raise BadAnswer(f"symbol appears twice: {pair.symbol}")
        pairs[pair.symbol] = pair
    return pairs


def _margin_pair(asset: Row) -> MarginPair:
    return MarginPair(
        symbol=fields.text(asset, "symbol"),
        base=_balance(fields.row(fields.present(asset, "baseAsset"), "baseAsset")),
        quote=_balance(fields.row(fields.present(asset, "quoteAsset"), "quoteAsset")),
    )


def _balance(asset: Row) -> AssetBalance:
    return AssetBalance(
        asset=fields.text(asset, "asset"),
        free=fields.amount(asset, "free"),
        locked=fields.amount(asset, "locked"),
        borrowed=fields.amount(asset, "borrowed"),
        interest=fields.amount(asset, "interest"),
    )


def order(answer: object, *, received_ms: int) -> OrderReport:
    """One order of any of the order calls. A cancel's answer carries no time: `received_ms` stands in."""
    source = fields.row(answer, "order")
    time_ms = _order_time(source, received_ms)
    fills = _fills(source, time_ms)
    executed = fields.amount(source, "executedQty")
    # A report that leaves fills out is worse than one without any: the caller then asks for the trades.
    if sum((fill.quantity for fill in fills), Decimal(0)) != executed:
        fills = ()
    return OrderReport(
        symbol=fields.text(source, "symbol"),
        order_id=str(fields.whole(source, "orderId")),
        client_order_id=_client_order_id(source),
        side=_side(source),
        status=fields.text(source, "status"),
        order_type=fields.text(source, "type"),
        quantity=fields.amount(source, "origQty"),
        executed_quantity=executed,
        executed_quote=_executed_quote(source, fills),
        time_ms=time_ms,
        fills=fills,
    )


def orders(answer: object, *, received_ms: int) -> tuple[OrderReport, ...]:
    return tuple(order(item, received_ms=received_ms) for item in fields.items(answer, "orders"))


def _order_time(source: Row, received_ms: int) -> int:
    for name in ("transactTime", "updateTime", "time"):
        if name in source:
            return fields.whole(source, name)
    return received_ms


def _client_order_id(source: Row) -> str:
    # A cancel names itself in clientOrderId and the order it cancelled in origClientOrderId.
    return fields.text(source, "origClientOrderId" if source.get("origClientOrderId") else "clientOrderId")


def _executed_quote(source: Row, fills: tuple[OwnTrade, ...]) -> Decimal:
    # FILLED with an amount of zero has been seen in public: the fills know better.
    stated = fields.amount(source, "cummulativeQuoteQty")
    return stated or sum((fill.quote_quantity for fill in fills), Decimal(0))


def _side(source: Row) -> OrderSide:
    side = fields.text(source, "side")
    try:
        return OrderSide(side)
    except ValueError:
        raise BadAnswer(f"side is unknown: {side!r}") from None


def _fills(source: Row, time_ms: int) -> tuple[OwnTrade, ...]:
    return tuple(_fill(source, fill, time_ms) for fill in fields.rows(source.get("fills", []), "fills"))


def _fill(source: Row, fill: Row, time_ms: int) -> OwnTrade:
    price, quantity = fields.positive(fill, "price"), fields.positive(fill, "qty")
    return OwnTrade(
        trade_id=fields.whole(fill, "tradeId"),
        order_id=str(fields.whole(source, "orderId")),
        symbol=fields.text(source, "symbol"),
        side=_side(source),
        price=price,
        quantity=quantity,
        quote_quantity=price * quantity,
        commission=fields.amount(fill, "commission"),
        commission_asset=fields.text(fill, "commissionAsset"),
        time_ms=time_ms,
    )


def trades(answer: object) -> list[OwnTrade]:
    """One page of `myTrades`, oldest first."""
    found = [_trade(item) for item in fields.rows(answer, "trades")]
    return sorted(found, key=lambda trade: trade.trade_id)


def _trade(source: Row) -> OwnTrade:
    price, quantity = fields.positive(source, "price"), fields.positive(source, "qty")
    return OwnTrade(
        trade_id=fields.whole(source, "id"),
        order_id=str(fields.whole(source, "orderId")),
        symbol=fields.text(source, "symbol"),
        side=OrderSide.BUY if fields.flag(source, "isBuyer") else OrderSide.SELL,
        price=price,
        quantity=quantity,
        # Margin leaves quoteQty out of its trades; spot sends it.
        quote_quantity=fields.amount(source, "quoteQty") if "quoteQty" in source else price * quantity,
        commission=fields.amount(source, "commission"),
        commission_asset=fields.text(source, "commissionAsset"),
        time_ms=fields.whole(source, "time"),
    )


def listen_token(answer: object) -> ListenToken:
    source = fields.row(answer, "listen token")
    return ListenToken(fields.text(source, "token"), fields.whole(source, "expirationTime"))


def transaction_id(answer: object) -> str:
    return str(fields.whole(fields.row(answer, "transaction"), "tranId"))
