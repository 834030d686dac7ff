"""Plain values for the domain's tests."""

from decimal import Decimal

from trading.domain.types import SymbolRules


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
