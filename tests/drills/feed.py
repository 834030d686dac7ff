"""The stream of prices falls silent, breaks, and floods."""

import time
from decimal import Decimal
from functools import reduce

import requests

from tests.drills.registry import drill
from tests.drills.scene import TICK, Scene
from tests.drills.settings import POLL_INTERVAL_S as POLL_S
from trading.domain.trailing import TrailingStop, on_price
from trading.models import OrderIntent, Position

AGE_LIMIT_S = 5
ALARM = "REST prices take over"
SYMBOL = "BTCUSDT"
FLOOD_S = 12


@drill(2, broke="stream mute: connected, acknowledged, no data")
def a_mute_stream_is_noticed_by_its_data_and_rest_prices_take_over(scene: Scene) -> None:
    """The age of the data raises the alarm, and REST prices lead to the stop that the stream would have."""
    position = scene.core()
    before = position.trailing
    scene.stage.exchange.fault("mute_stream", symbol=SYMBOL)
    _rise_and_fall(scene, position)
    scene.allow(AGE_LIMIT_S + 5, "the age limit, then 5 s to the first look over REST")
    scene.closed(position)
    _same_stop(scene, position, before)


@drill(2, broke="stream mute, and dropped every second")
def reconnecting_again_and_again_is_not_taken_for_health(scene: Scene) -> None:
    """Each new connection is acknowledged and stays silent: none of them makes the data any younger."""
    position = scene.core()
    before = position.trailing
    scene.stage.exchange.fault("mute_stream", symbol=SYMBOL)

    def told_in_spite_of_one_more_reconnect() -> bool:
        scene.stage.exchange.fault("drop_stream", symbol=SYMBOL, count=1)
        time.sleep(1)
        return scene.logged("consumer", ALARM)

    scene.until(told_in_spite_of_one_more_reconnect, "the alarm", within_s=AGE_LIMIT_S + 5)
    _rise_and_fall(scene, position)
    scene.allow(5, "REST prices drive already, one look a second")
    scene.closed(position)
    _same_stop(scene, position, before)


def _rise_and_fall(scene: Scene, position: Position) -> None:
    """A peak that the stream does not show, then through the stop that it leads to."""
    peak = Decimal(61_000)
    scene.price(SYMBOL, peak)
    scene.touch(SYMBOL, peak - (position.distance or Decimal(0)) - TICK)


def _same_stop(scene: Scene, position: Position, before: TrailingStop) -> None:
    """The stop that fired is the one of the ordered series of all prices that the exchange has printed."""
    scene.expect("the alarm", scene.logged("consumer", ALARM), True)
    prints = scene.stage.exchange.call("GET", f"prices?symbol={SYMBOL}&limit=5000")
    ordered = [one for one in prints if one["time_ms"] >= before.last_time_ms]
    stop = reduce(
        lambda held, one: on_price(held, Decimal(one["price"]), one["time_ms"]).next, ordered, before
    )
    intent = OrderIntent.objects.get(position=position, purpose="exit")
    scene.expect("the stop of the ordered series", position.stop_price, stop.stop)
    scene.expect("it was touched", (intent.trigger_price or 0) <= (stop.stop or 0), True)


@drill(3, broke="nothing: hundreds of prices a second", exits=2)
def polls_keep_their_pace_under_a_flood_of_events(scene: Scene) -> None:
    """Neither prices nor orders by hand put a poll off, and its count and its age are exported."""
    position, guard = scene.core(), scene.guarded()
    with scene.stage.market.flood():
        began, polls = time.monotonic(), scene.polls()
        while time.monotonic() < began + FLOOD_S:
            scene.rest_by_hand("BUY", "0.0002", SYMBOL, price="30000")
            time.sleep(0.1)
        scene.expect("a poll in each interval, but for the first", scene.polls() - polls >= 2, True)
        scene.pierce(guard)
        scene.pierce(position)
        scene.allow(POLL_S + 3, "one poll, 3 s to exit")
        scene.closed(position, guard)
    text = requests.get(f"{scene.stage.web}/metrics", timeout=10).text
    for exported in (
        f'safety_net_polls_total{{account="{scene.account}",outcome="ok"}}',
        f'robson_age_seconds{{part="poll:{scene.account}"}}',
        f'robson_ready{{part="poll:{scene.account}"}} 1.0',
    ):
        scene.expect(f"the metrics tell {exported}", exported in text, True)
