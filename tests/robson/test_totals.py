"""Row for row: what several real processes have counted and logged is what the database tells."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from robson import metrics as process_metrics
from robson.local import commands, logfiles
from robson.scrape import Scrape
from safetynet.models import GuardedPosition
from safetynet.tasks import poll_all
from tests.live import LiveProcesses
from tests.trading.counting import counted
from tests.trading.world import SYMBOL, World, until
from trading import metrics
from trading.models import Event, Heartbeat, OrderIntent, Position

pytestmark = pytest.mark.processes

HAND = "ETHUSDT"
WORKERS = [commands.worker("exits", concurrency=2), commands.worker("safetynet", concurrency=1)]
NAMES = ["consumer", *(worker.name for worker in WORKERS)]
# Celery writes it past every log, since a signal handler must not wait for one.
SAID_AT_THE_END = {"worker: Warm shutdown (MainProcess)"}


class Logs:
    """The JSON lines that the processes write from now on."""

    def __init__(self) -> None:
        self._offsets = {name: logfiles.size(name) if logfiles.path(name).exists() else 0 for name in NAMES}

    def lines(self, name: str) -> list[dict[str, Any]]:
        text = logfiles.read_from(name, self._offsets[name]).decode()
        return [json.loads(line) for line in text.splitlines() if line and line not in SAID_AT_THE_END]

    def the_line(self, name: str, words: str) -> Mapping[str, Any]:
        return next(line for line in self.lines(name) if words in line["message"])


@pytest.fixture
def logs() -> Logs:
    return Logs()


def consumer_follows() -> bool:
    beat = Heartbeat.objects.filter(name="consumer").first()
    return beat is not None and SYMBOL in beat.data["symbols"]


def is_closed(row: Position | GuardedPosition) -> bool:
    row.refresh_from_db()
    return row.state == "closed"


def both_exit(world: World, live_process: LiveProcesses, directory: Path) -> tuple[Position, GuardedPosition]:
    """Core's position by the consumer, which is killed then; the owner's by the poll and an exits worker."""
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(directory), "ROBSON_LOG_FORMAT": "json"}
    position = world.enter()
    world.control.price(HAND, "3000")
    world.control.trade("BUY", "0.5", symbol=HAND)
    live_process.start(commands.consumer(), **environment)
    live_process.start_together(*WORKERS, **environment)
    until(consumer_follows)
    world.control.price(SYMBOL, "58000")
    until(lambda: is_closed(position))
    # Its counts are what it has written: nothing can be made up for afterwards.
    until(lambda: Scrape(process_metrics.exposition(directory).decode()).by("robson_events_total", "kind"))
    live_process.kill("consumer")
    until(GuardedPosition.objects.exists)
    guard = GuardedPosition.objects.get()
    world.control.price(HAND, "2900")
    poll_all.apply_async()
    until(lambda: is_closed(guard))
    return position, guard


def test_totals_of_many_processes_are_those_of_the_event_log(
    world: World, live_process: LiveProcesses, tmp_path: Path, logs: Logs
) -> None:
    with counted(metrics.EVENTS) as own_events, counted(metrics.INTENTS) as own_settled:
        position, guard = both_exit(world, live_process, tmp_path)
    live_process.stop_all()

    found = Scrape(process_metrics.exposition(tmp_path).decode())
    events = Counter((kind,) for kind in Event.objects.values_list("kind", flat=True))
    assert Counter(found.by("robson_events_total", "kind")) + own_events == events
    assert events["intent.claimed",] == 3
    settled = Counter(OrderIntent.objects.values_list("owner", "purpose", "state"))
    assert (
        Counter(found.by("robson_order_intents_total", "owner", "purpose", "state")) + own_settled == settled
    )
    once = {("core",): 1, ("safety_net",): 1}
    assert found.by("robson_trigger_to_order_seconds_count", "owner") == once
    assert found.by("robson_trigger_to_fill_seconds_count", "owner") == once
    assert set(found.by("safety_net_positions_monitored_total", "symbol")) == {(HAND,)}

    _assert_logs_name_what_they_are_about(logs, position, guard)


def _assert_logs_name_what_they_are_about(logs: Logs, position: Position, guard: GuardedPosition) -> None:
    touched = logs.the_line("consumer", "touched at")
    assert touched["process"] == "runconsumer"
    assert (touched["account"], touched["symbol"], touched["position_id"]) == ("main", SYMBOL, position.pk)
    closed = logs.the_line("consumer", "closed at")
    own_exit = OrderIntent.objects.get(position=position, purpose="exit")
    assert (closed["intent_id"], closed["attempt"], closed["position_id"]) == (own_exit.pk, 1, position.pk)
    bought_back = logs.the_line("worker-exits", "closed at")
    safety_exit = OrderIntent.objects.get(guard_id=guard.pk)
    assert (bought_back["intent_id"], bought_back["guard_id"]) == (safety_exit.pk, guard.pk)
    assert (bought_back["process"], bought_back["logger"]) == ("exits", "safetynet.exits")
    monitored = logs.the_line("worker-safetynet", "Monitoring")
    assert (monitored["account"], monitored["symbol"]) == ("main", HAND)
    # Celery's own lines have the same form.
    assert logs.the_line("worker-exits", "ready.")["logger"].startswith("celery.")
