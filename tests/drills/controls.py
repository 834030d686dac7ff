"""Drills that must fail: a harness that passes them sees nothing."""

from tests.drills.registry import drill
from tests.drills.scene import Scene
from trading import gateway
from trading.domain.types import MarketOrder, OrderSide, Side


@drill(0, broke="nothing, but nobody is there", needs=())
def a_position_that_nobody_watches_is_told(scene: Scene) -> None:
    """No process runs, so the stop is not executed, and the drill says that the position stayed open."""
    position = scene.core(watched=False)
    scene.allow(1, "as if the consumer were up")
    scene.pierce(position)
    scene.closed(position, within_s=1)


@drill(0, broke="nothing, but two exits go past the protocol", needs=(), exits=2)
def a_second_exit_is_told(scene: Scene) -> None:
    """The drill looks at nothing: the exchange's ledger gives the double exit away."""
    scene.core(side=Side.SHORT, watched=False)
    exchange = gateway.exchange_for(scene.account)
    for attempt in (1, 2):
        exchange.send_market_order(
            MarketOrder(
                symbol="BTCUSDT",
                side=OrderSide.BUY,
                quantity=exchange.symbol_rules("BTCUSDT").lot_step * 700,
                client_order_id=f"rbs-control-x1-{attempt}",
                side_effect="AUTO_REPAY",
                timestamp_ms=exchange.now_ms(),
                recv_window_ms=3_000,
            )
        )
