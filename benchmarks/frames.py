"""Frames a second through the whole consumer: a real process on real sockets, by its own count."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

import psutil

from benchmarks import blaster
from benchmarks.figures import Figure
from benchmarks.market import Trader, open_account, symbols
from benchmarks.stage import BenchmarkError, Stage, until
from robson.local import commands
from robson.local.commands import Service
from robson.local.ports import free_port
from trading.consumer.process import HEARTBEAT
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.models import Heartbeat, Position, Slot

COUNT = 20
TARGET_PER_S = 50_000
PRICE = Decimal(blaster.FIRST_PRICE)
DISTANCE = Decimal(100)


@dataclass(frozen=True)
class Beat:
    """What the consumer had counted at one of its beats, and the processor seconds it had used by then."""

    at: datetime
    frames: int
    dropped: int
    processor_s: float


def measure(stage: Stage) -> list[Figure]:
    """As many frames as the consumer takes, for a few of its beats."""
    trader = open_account(stage.simulator.control, "frames")
    names = symbols(0, COUNT)
    for name in names:
        _position(trader, name)
    port = free_port(0)
    sender = Service("blaster", ("python", "-m", "benchmarks.blaster", str(port), *names), blaster.READY)
    with stage.processes(sender), _streams_from(port), stage.processes(commands.consumer()) as consumers:
        process = psutil.Process(consumers.batches[0][0].child.pid)
        beats = _beats(stage, process, 3 if stage.quick else 7)
    raised = Position.objects.filter(slot__account=trader.account, stop_price__gt=PRICE - DISTANCE).count()
    if raised < COUNT:
        raise BenchmarkError(f"only {raised} of {COUNT} stops were raised")
    return _figures(beats)


def _figures(beats: list[Beat]) -> list[Figure]:
    first, last = beats[0], beats[-1]
    frames, seconds = last.frames - first.frames, (last.at - first.at).total_seconds()
    if last.dropped != first.dropped:
        raise BenchmarkError(f"{last.dropped - first.dropped} frames came to nothing")
    busy = last.processor_s - first.processor_s
    note = f"{frames:,} frames in {seconds:.1f} s, {COUNT} symbols with a stop each"
    return [
        Figure("Frames a second of one core", frames / busy, "/s", at_least=TARGET_PER_S, note=note),
        Figure(
            "Frames a second as taken", frames / seconds, "/s", note="sender and consumer share the cores"
        ),
        Figure("Processor time a frame", busy / frames * 1e6, "us"),
        Figure("The consumer's share of one core", busy / seconds * 100, "%"),
    ]


def _position(trader: Trader, symbol: str) -> None:
    trader.control.price(symbol, PRICE)
    Position.objects.create(
        slot=Slot.of(trader.account, symbol, Side.LONG),
        state=PositionState.ACTIVE,
        capital=Decimal(1000),
        risk_percent=Decimal(1),
        quantity=Decimal(1),
        entry_price=PRICE,
        distance=DISTANCE,
        extreme_price=PRICE,
        extreme_time_ms=trader.control.call("GET", "health")["time_ms"],
        stop_price=PRICE - DISTANCE,
    )


@contextlib.contextmanager
def _streams_from(port: int) -> Iterator[None]:
    """Let processes that are started inside take market data from this port; all else stays as it is."""
    before = os.environ["BINANCE_STREAM_URL"]
    os.environ["BINANCE_STREAM_URL"] = f"ws://127.0.0.1:{port}"
    try:
        yield
    finally:
        os.environ["BINANCE_STREAM_URL"] = before


def _beats(stage: Stage, process: psutil.Process, count: int) -> list[Beat]:
    """The next beats of a consumer that is busy, the first one left out."""
    Heartbeat.objects.filter(name=HEARTBEAT).delete()
    until(lambda: _frames_counted() > 0, "frames through the consumer")
    beats: list[Beat] = []
    last = _beat(process)
    while len(beats) < count:
        until(partial(_has_beaten_since, last.at), "another beat")
        last = _beat(process)
        beats.append(last)
        stage.tell(f"{last.frames:,} frames")
        stage.advance(len(beats) / count)
    return beats


def _frames_counted() -> int:
    beat = Heartbeat.objects.filter(name=HEARTBEAT).first()
    return int(beat.data["frames"]) if beat else 0


def _has_beaten_since(at: datetime) -> bool:
    return Heartbeat.objects.filter(name=HEARTBEAT, at__gt=at).exists()


def _beat(process: psutil.Process) -> Beat:
    used = process.cpu_times()
    row = Heartbeat.objects.get(name=HEARTBEAT)
    return Beat(row.at, row.data["frames"], row.data["dropped"], used.user + used.system)
