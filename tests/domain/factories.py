"""Plain values for the domain's tests."""

from decimal import Decimal

from trading.domain.types import AssetBalance, Candle, MarginPair, OrderSide, OwnTrade, SymbolRules


def symbol_rules(
    *,
    lot_step: str = "0.00001",
    min_quantity: str = "0.00001",
    min_notional: str = "5",
) -> SymbolRules:
    """BTCUSDT as Binance describes it."""
    return SymbolRules(
        symbol="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        trading=True,
        margin_allowed=True,
        tick_size=Decimal("0.01"),
        lot_step=Decimal(lot_step),
        min_quantity=Decimal(min_quantity),
        max_quantity=Decimal(9000),
        market_lot_step=Decimal(0),
        market_max_quantity=Decimal(100),
        min_notional=Decimal(min_notional),
        order_types=frozenset({"LIMIT", "MARKET", "STOP_LOSS_LIMIT"}),
    )


def candle(
    index: int,
    close: str | Decimal,
    *,
    high: str | Decimal | None = None,
    low: str | Decimal | None = None,
    closed: bool = True,
) -> Candle:
    """The one-minute candle number `index` since the epoch; flat at its close unless told otherwise."""
    price = Decimal(close)
    return Candle(
        symbol="BTCUSDT",
        interval="1m",
        open_time_ms=index * 60_000,
        close_time_ms=index * 60_000 + 59_999,
        open=price,
        high=price if high is None else Decimal(high),
        low=price if low is None else Decimal(low),
        close=price,
        volume=Decimal(1),
        closed=closed,
    )


def margin_pair(
    *, base_total: str | Decimal, base_debt: str | Decimal = "0", base_interest: str | Decimal = "0"
) -> MarginPair:
    """BTCUSDT with base coins, borrowed base coins, and interest owed on those."""
    none = Decimal(0)
    return MarginPair(
        symbol="BTCUSDT",
        base=AssetBalance("BTC", Decimal(base_total), none, Decimal(base_debt), Decimal(base_interest)),
        quote=AssetBalance("USDT", Decimal(1000), none, none, none),
    )


def own_trade(
    trade_id: int,
    side: OrderSide,
    quantity: str | Decimal,
    price: str | Decimal,
    *,
    commission: str | Decimal = "0",
    commission_asset: str = "USDT",
    order_id: str | None = None,
) -> OwnTrade:
    return OwnTrade(
        trade_id=trade_id,
        order_id=order_id or f"order-{trade_id}",
        symbol="BTCUSDT",
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        quote_quantity=Decimal(quantity) * Decimal(price),
        commission=Decimal(commission),
        commission_asset=commission_asset,
        time_ms=trade_id * 1000,
    )
