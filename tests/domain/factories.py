"""Plain values for the domain's tests."""

from decimal import Decimal

from trading.domain.types import Candle, SymbolRules


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
