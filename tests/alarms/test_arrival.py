"""Each kind of alarm arrives once, within ten seconds of its cause, also when the process is killed between.

The causes are real: orders and trades on the simulator, through the order protocol; a consumer and a worker
that are killed, a stream that is silent, a database and a broker that are not there. In the end the channel
has been told these alarms and no others.
"""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from robson.alarms.kinds import Kind, manner
from robson.alarms.models import Telling
from robson.local import commands
from robson.local.ports import free_port
from safetynet.models import PollState
from tests import factories
from tests.alarms.endpoint import Endpoint
from tests.live import LiveProcesses
from tests.trading.world import SYMBOL, World, filled_without_a_stop, fresh, signal_for, until
from trading import bans, entry, execution, reconciliation
from trading.domain.types import Side
from trading.exchange.errors import StopAndPage
from trading.models import Heartbeat, OrderIntent, Position

pytestmark = pytest.mark.processes

WITHIN_S = 10.0
ORDER = {"path": "margin/order", "method": "POST"}


def start(live: LiveProcesses, channels: str, **environment: str) -> None:
    given = {"ROBSON_ALARM_URLS": channels, "ROBSON_ALARM_DIGEST_AT": "", **environment}
    live.start(commands.alarms(), **given)


@pytest.fixture
def everything_works(live_process: LiveProcesses) -> Iterator[None]:
    """Consumer and polls give signs of life until the end of the test."""
    over = threading.Event()

    def live() -> None:
        while not over.wait(1):
            factories.everything_works()
        connection.close()

    factories.everything_works()
    living = threading.Thread(target=live)
    living.start()
    yield
    over.set()
    living.join()


def look_anew(times: int = 1) -> None:
    """Until the alarms have looked at everything again."""
    for _ in range(times):
        now = timezone.now()
        until(Heartbeat.objects.filter(name="alarms", at__gt=now).exists)


def all_told(endpoint: Endpoint) -> Counter[str]:
    """What has been told in the end: whoever would say a thing again has had the occasion."""
    look_anew(times=2)
    until(lambda: not Telling.objects.filter(told_at=None).exists())
    return endpoint.told()


def arrives(endpoint: Endpoint, title: str, *words: str, cause: Callable[[], object]) -> None:
    """Within ten seconds of the moment at which its cause is complete."""
    before = len(endpoint.saying(title, *words))
    cause()
    until(lambda: len(endpoint.saying(title, *words)) > before, within_s=WITHIN_S)


def in_time(endpoint: Endpoint, title: str, *words: str, due: datetime) -> None:
    """Within ten seconds of what time alone brings about."""
    patience_s = (due - timezone.now()).total_seconds() + WITHIN_S
    message = endpoint.wait_for(title, *words, within_s=patience_s)
    assert due <= message.at <= due + timedelta(seconds=WITHIN_S)


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


def refuse_three_times(world: World, intent: OrderIntent) -> None:
    world.control.fault("error_code", code=-2010, msg="Account has insufficient balance", count=3, **ORDER)
    until(lambda: execution.execute(intent.pk, world.desk) and fresh(intent).refusals >= 3)


def be_banned(world: World) -> None:
    world.control.fault("ban", seconds=20)
    with pytest.raises(StopAndPage):
        world.exchange.margin_pairs()
    bans.write()


@pytest.mark.usefixtures("everything_works")
def test_what_happens_to_orders_and_positions_is_told_once_also_across_a_kill(
    world: World, live_process: LiveProcesses, endpoint: Endpoint
) -> None:
    start(live_process, endpoint.address)
    look_anew()
    position = world.enter()
    arrives(endpoint, "exit executed: BTCUSDT Long", "(test)", cause=lambda: close(world, position))
    arrives(endpoint, "dust: BTCUSDT Long", cause=lambda: leave_dust(world))
    arrives(endpoint, "reconciliation surprise: BTCUSDT Long", "outside", cause=lambda: sell_by_hand(world))
    arrives(endpoint, "entry failed: BTCUSDT Long", "not enough money", cause=lambda: refuse_entry(world))
    failing = world.request_exit(world.enter())
    arrives(
        endpoint,
        "exit failing: BTCUSDT Long",
        "insufficient balance",
        cause=lambda: refuse_three_times(world, failing),
    )
    arrives(endpoint, "exit executed: BTCUSDT Long", cause=lambda: world.settle(failing))
    arrives(endpoint, "over: exit failing: BTCUSDT Long", cause=lambda: None)
    all_told(endpoint)
    live_process.kill("alarms")
    filled_without_a_stop(world, stop_value=Decimal(50))
    arrives(
        endpoint,
        "CRITICAL position in error: BTCUSDT Long",
        cause=lambda: start(live_process, endpoint.address),
    )
    arrives(endpoint, "CRITICAL ban: account main", "HTTP 418", cause=lambda: be_banned(world))
    # Not so soon after the start of the alarms: the Safety Net may be about to find it.
    settled = manner(Kind.UNPROTECTED).settle.total_seconds()
    endpoint.wait_for("CRITICAL unprotected position: BTCUSDT Long", within_s=settled + WITHIN_S)
    assert all_told(endpoint) == {
        "exit executed: BTCUSDT Long": 3,
        "dust: BTCUSDT Long": 1,
        "reconciliation surprise: BTCUSDT Long": 2,
        "entry failed: BTCUSDT Long": 1,
        "exit failing: BTCUSDT Long": 1,
        "over: exit failing: BTCUSDT Long": 1,
        "CRITICAL position in error: BTCUSDT Long": 1,
        "CRITICAL unprotected position: BTCUSDT Long": 1,
        "CRITICAL ban: account main": 1,
    }


def test_what_does_not_work_any_more_is_told_once(
    world: World, live_process: LiveProcesses, endpoint: Endpoint
) -> None:
    quick = {"ROBSON_FEED_AGE_LIMIT_S": "1", "ROBSON_CONSUMER_SILENT_S": "3"}
    world.enter()
    live_process.start_together(commands.consumer(), commands.worker("safetynet", concurrency=1), **quick)
    until(lambda: Heartbeat.objects.filter(name="consumer", data__symbols=[SYMBOL]).exists())
    until(lambda: PollState.objects.filter(last_success_at__isnull=False).exists())
    start(live_process, endpoint.address, **quick)
    look_anew()

    def trade_unheard() -> None:
        world.control.fault("mute_stream", symbol=SYMBOL)
        world.control.price(SYMBOL, "60010")

    arrives(endpoint, f"feed stale: {SYMBOL}", cause=trade_unheard)
    arrives(
        endpoint,
        "CRITICAL consumer dead",
        cause=lambda: live_process.kill("consumer worker-safetynet"),
    )
    polled = PollState.objects.get()
    assert polled.last_started_at is not None
    assert polled.last_success_at is not None
    in_time(endpoint, "poll late: account main", due=polled.last_started_at + timedelta(seconds=30))
    in_time(
        endpoint,
        "CRITICAL unprotected position: BTCUSDT Long",
        "the consumer has not worked",
        due=polled.last_success_at + timedelta(seconds=60),
    )
    assert all_told(endpoint) == {
        f"feed stale: {SYMBOL}": 1,
        f"over: feed stale: {SYMBOL}": 1,
        "CRITICAL consumer dead: consumer": 1,
        "poll late: account main": 1,
        "CRITICAL unprotected position: BTCUSDT Long": 1,
    }


@pytest.mark.usefixtures("everything_works")
@pytest.mark.parametrize(
    ("address", "says"),
    [
        (("DATABASE_URL", "postgresql://robson@127.0.0.1:{}/robson"), "CRITICAL database away"),
        (("REDIS_URL", "redis://127.0.0.1:{}/0"), "broker away: broker"),
    ],
)
def test_a_server_that_is_away_is_told_although_nothing_can_be_written_down(
    live_process: LiveProcesses, endpoint: Endpoint, hanging_address: str, address: tuple[str, str], says: str
) -> None:
    variable, url = address
    away = {variable: url.format(free_port(0))}
    arrives(
        endpoint, says, cause=lambda: start(live_process, f"{hanging_address} {endpoint.address}", **away)
    )
    live_process.stop("alarms")
    assert endpoint.told() == {says: 1}


def test_who_is_asked_to_end_many_times_at_once_ends(
    world: World, live_process: LiveProcesses, endpoint: Endpoint
) -> None:
    start(live_process, endpoint.address)
    look_anew()
    (child,) = live_process.children("alarms")
    for _ in range(20_000):
        child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=12) == 0
