"""Each kind of alarm arrives once, within ten seconds of its cause, also when the process is killed between.

Most causes are real: orders and trades on the simulator, through the order protocol; a consumer that is
killed, a stream that is silent, a database and a broker that are not there. A late poll and a position in
error are the rows that they leave.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from robson.local import commands
from robson.local.ports import free_port
from safetynet.models import PollState
from tests import factories
from tests.alarms.endpoint import Endpoint
from tests.live import LiveProcesses
from tests.trading.world import SYMBOL, World, signal_for, until
from trading import bans, entry, execution, journal, reconciliation
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.exchange.errors import StopAndPage
from trading.models import Heartbeat, OrderIntent, Position

pytestmark = pytest.mark.processes

WITHIN_S = 10.0
ORDER = {"path": "margin/order", "method": "POST"}


def start(live: LiveProcesses, channels: str, **environment: str) -> None:
    given = {"ROBSON_ALARM_URLS": channels, "ROBSON_ALARM_DIGEST_AT": "", **environment}
    live.start(commands.alarms(), **given)


def all_is_well() -> None:
    """For the whole test: what is to go wrong is made to."""
    factories.everything_works(at=timezone.now() + timedelta(hours=1))


def arrives(endpoint: Endpoint, *words: str, cause: Callable[[], object]) -> None:
    """Once, and in time."""
    assert not endpoint.saying(*words)
    cause()
    until(lambda: endpoint.saying(*words), within_s=WITHIN_S)


def close(world: World, position: Position) -> OrderIntent:
    return world.settle(world.request_exit(position))


def leave_dust(world: World) -> None:
    position = world.enter(Side.LONG, capital=Decimal(40))
    world.control.fault("partial_fill", ratio="0.8", count=1)
    assert close(world, position).state == "dust"


def sell_by_hand(world: World) -> None:
    world.enter()
    world.control.trade("SELL", world.pair().base.free.quantize(Decimal("0.00001")), symbol=SYMBOL)
    reconciliation.reconcile(world.account, world.desk)
    reconciliation.reconcile(world.account, world.later(reconciliation.GRACE.total_seconds() + 1))


def refuse_entry(world: World) -> None:
    world.control.fault("error_code", code=-2010, msg="not enough money", count=1, **ORDER)
    position = world.armed()
    assert entry.enter(position=position, signal=signal_for(position), desk=world.desk)


def refuse_exits(world: World, position: Position) -> None:
    world.control.fault("error_code", code=-2010, msg="Account has insufficient balance", **ORDER)
    intent = world.request_exit(position)
    until(
        lambda: (
            execution.execute(intent.pk, world.desk) and OrderIntent.objects.get(pk=intent.pk).refusals >= 3
        )
    )


def be_banned(world: World) -> None:
    world.control.fault("ban", seconds=20)
    with pytest.raises(StopAndPage):
        world.exchange.margin_pairs()
    bans.write()


def end_in_error(world: World) -> None:
    position = factories.core_position("ETHUSDT", state=PositionState.ENTERING, of=world.account)
    data = {"error": "filled, but without a stop", "entry": Decimal(3000)}
    assert journal.advance(
        position, PositionState.ERROR, at=timezone.now(), data=data, opened_at=timezone.now()
    )


def stop_polling() -> None:
    PollState.objects.update(last_started_at=timezone.now() - timedelta(seconds=31))


def test_what_happens_to_orders_and_positions_is_told_once_also_across_a_kill(
    world: World, live_process: LiveProcesses, endpoint: Endpoint
) -> None:
    all_is_well()
    start(live_process, endpoint.address)
    until(lambda: Heartbeat.objects.filter(name="alarms").exists())
    position = world.enter()
    arrives(endpoint, "exit executed", "(test)", cause=lambda: close(world, position))
    arrives(endpoint, "dust: BTCUSDT Long", cause=lambda: leave_dust(world))
    arrives(endpoint, "reconciliation surprise", "closed outside Robson", cause=lambda: sell_by_hand(world))
    arrives(endpoint, "entry failed", "not enough money", cause=lambda: refuse_entry(world))
    live_process.kill("alarms")
    end_in_error(world)
    arrives(endpoint, "CRITICAL position in error", cause=lambda: start(live_process, endpoint.address))
    failing = world.enter()
    arrives(endpoint, "exit failing", "insufficient balance", cause=lambda: refuse_exits(world, failing))
    arrives(endpoint, "poll late", cause=stop_polling)
    arrives(endpoint, "CRITICAL ban", "HTTP 418", cause=lambda: be_banned(world))
    for words in (
        ("closed outside Robson",),
        ("dust: BTCUSDT Long",),
        ("entry failed",),
        ("CRITICAL position in error",),
        ("poll late",),
        ("CRITICAL ban",),
    ):
        assert len(endpoint.saying(*words)) == 1, words


def test_a_silent_stream_and_a_dead_consumer_are_told_once(
    world: World, live_process: LiveProcesses, endpoint: Endpoint
) -> None:
    quick = {"ROBSON_FEED_AGE_LIMIT_S": "1", "ROBSON_CONSUMER_SILENT_S": "3"}
    world.enter()
    PollState.objects.create(account=world.account, last_started_at=timezone.now() + timedelta(hours=1))
    live_process.start(commands.consumer(), **quick)
    until(lambda: Heartbeat.objects.filter(name="consumer", data__symbols=[SYMBOL]).exists())
    start(live_process, endpoint.address, **quick)

    def trade_unheard() -> None:
        world.control.fault("mute_stream", symbol=SYMBOL)
        world.control.price(SYMBOL, "60010")

    arrives(endpoint, f"feed stale: {SYMBOL}", cause=trade_unheard)
    arrives(endpoint, "CRITICAL consumer dead", cause=lambda: live_process.kill("consumer"))
    endpoint.wait_for("CRITICAL unprotected position: BTCUSDT Long", "the consumer has not worked")
    for words in (f"feed stale: {SYMBOL}", "CRITICAL consumer dead", "unprotected position"):
        assert len(endpoint.saying(words)) == 1, words


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (("DATABASE_URL", "postgresql://robson@127.0.0.1:{}/robson"), "CRITICAL database away"),
        (("REDIS_URL", "redis://127.0.0.1:{}/0"), "broker away"),
    ],
)
def test_a_server_that_is_away_is_told_although_nothing_can_be_written_down(
    live_process: LiveProcesses, endpoint: Endpoint, hanging_address: str, address: tuple[str, str], says: str
) -> None:
    all_is_well()
    variable, url = address
    away = {variable: url.format(free_port(0))}
    arrives(
        endpoint, says, cause=lambda: start(live_process, f"{hanging_address} {endpoint.address}", **away)
    )
    assert len(endpoint.saying(says)) == 1
