"""Exits of Core while alarms are told over a channel that hangs, over one that answers, and not at all."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from benchmarks.core import any_open, open_positions
from benchmarks.figures import Figure, Times
from benchmarks.market import TOUCH, Trader, open_account, publish, symbols
from benchmarks.stage import BenchmarkError, Stage, until
from benchmarks.touching import PAUSES_S, Touches, delays_ns
from robson.alarms.models import Telling
from robson.local import commands
from trading.models import Heartbeat


def measure(stage: Stage) -> list[Figure]:
    """Every exit is itself an alarm, which the channel takes and never answers."""
    trader = open_account(stage.simulator.control, "alarms")
    rounds, count = (1, 10) if stage.quick else (5, 20)
    # By turns, so that what disturbs one disturbs the others.
    turns = [name for _ in range(rounds) for name in _CHANNELS]
    times: dict[str, list[int]] = {name: [] for name in _CHANNELS}
    with stage.processes(*commands.workers(), commands.consumer()):
        for done, name in enumerate(turns, start=1):
            stage.tell(f"round {done} of {len(turns)}: {name}")
            with _CHANNELS[name](stage):
                open_positions(trader, symbols(0, count))
                touches = _touch(trader, symbols(0, count))
                until(lambda: not any_open(trader), "all positions closed")
            times[name] += delays_ns(touches, trader)
            stage.advance(done / len(turns))
    if trader.violations():
        raise BenchmarkError(f"the ledger shows violations: {trader.violations()}")
    return [
        figure
        for name, taken in times.items()
        for figure in Times.from_ns(taken).figures(f"Price published to exit order, {name}")
    ]


@contextlib.contextmanager
def _hanging(stage: Stage) -> Iterator[None]:
    """Raises BenchmarkError if nothing waited for the channel in the end: then nothing was measured."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as mute, _telling(stage, mute.getsockname()[1]):
        yield
        until(lambda: Telling.objects.filter(told_at=None).exists(), "alarms wait for the channel")


@contextlib.contextmanager
def _answering(stage: Stage) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with _telling(stage, server.server_port):
            yield
            until(lambda: Telling.objects.exclude(told_at=None).exists(), "alarms are told")
        server.shutdown()


@contextlib.contextmanager
def _telling(stage: Stage, port: int) -> Iterator[None]:
    """The process that tells alarms, to this port of this machine."""
    address = f"json://127.0.0.1:{port}/?rto=600"
    environment = {"ROBSON_ALARM_URLS": address, "ROBSON_ALARM_DIGEST_AT": ""}
    Telling.objects.all().delete()
    Heartbeat.objects.filter(name="alarms").delete()
    with stage.processes(replace(commands.alarms(), environment=environment)):
        until(lambda: Heartbeat.objects.filter(name="alarms").exists(), "the alarms have looked")
        yield


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def _touch(trader: Trader, names: list[str]) -> Touches:
    touches: Touches = []
    time.sleep(1.0)
    for name in names:
        touches.append((name, publish(trader.control, name, TOUCH)))
        time.sleep(next(PAUSES_S))
    return touches


_CHANNELS: dict[str, Callable[[Stage], AbstractContextManager[None]]] = {
    "no alarms": lambda _stage: contextlib.nullcontext(),
    "a channel that answers": _answering,
    "a channel that hangs": _hanging,
}
