"""Faults at work: at the simulator, in the processes, and in the servers below them."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from robson.local import postgres, redis
from robson.local.simulator import Control, SimulatorError
from tests.soak.diary import Diary
from tests.soak.faults import Family, Fault
from tests.soak.outages import Outage, Outages
from tests.soak.stage import Stage


@dataclass
class _Lasting:
    """A fault under way, and what tells that it is over."""

    fault: Fault
    outage: Outage
    is_over: Callable[[], bool]


class Breaking:
    """Use it from the main thread only: processes are tied to the thread that starts them."""

    def __init__(self, stage: Stage, outages: Outages, diary: Diary) -> None:
        self._stage = stage
        self._control = Control(stage.simulator.url)
        self._outages = outages
        self._diary = diary
        self._lasting: list[_Lasting] = []
        # Servers outlive the thread that starts them, and take their time to stop and to start.
        self._servers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="servers")

    def begin(self, fault: Fault) -> None:
        begin = {
            Family.ORDER: self._spoil_an_order,
            Family.EXCHANGE: self._spoil_the_exchange,
            Family.PROCESS: self._break_a_process,
            Family.SERVER: self._break_a_server,
        }[fault.family]
        try:
            begin(fault)
        except (SimulatorError, ProcessLookupError) as error:
            self._diary.note("fault", f"not begun: {fault}: {error}", _symbol(fault), count="not begun")

    def tend(self) -> None:
        """See what is over."""
        for one in [one for one in self._lasting if one.is_over()]:
            self._lasting.remove(one)
            one.outage.end = time.time()
            self._diary.note("fault", f"over after {one.outage.end - one.outage.begin:.1f} s: {one.fault}")

    @property
    def lasting(self) -> list[str]:
        """What is broken now."""
        return [str(one.fault) for one in self._lasting]

    def close(self) -> None:
        """Wait for the servers that are being restarted."""
        self._servers.shutdown(wait=True)

    def _note(self, fault: Fault, symbol: str = "") -> None:
        count = f"{fault.kind} {fault.target}" if not symbol and fault.target else fault.kind
        self._diary.note("fault", str(fault), symbol, count=count)

    def _last(self, fault: Fault, what: str, is_over: Callable[[], bool]) -> None:
        self._note(fault)
        self._lasting.append(_Lasting(fault, self._outages.begin(str(fault), what), is_over))

    def _spoil_an_order(self, fault: Fault) -> None:
        """One at a time in a pair: an order that is lost twice is another story than one that is lost."""
        if any(one.get("symbol") == fault.target for one in self._control.call("GET", "fault")):
            self._diary.note("fault", f"left out: {fault}", fault.target, count="left out")
            return
        self._control.fault(fault.kind, **dict(fault.details))
        self._note(fault, fault.target)

    def _spoil_the_exchange(self, fault: Fault) -> None:
        self._control.fault(fault.kind, **dict(fault.details))
        until = time.time() + fault.lasts_ms / 1_000

        def is_over() -> bool:
            if time.time() < until:
                return False
            self._control.call("DELETE", "fault", {"kind": fault.kind})
            return True

        self._last(fault, fault.kind, is_over)

    def _break_a_process(self, fault: Fault) -> None:
        if fault.kind == "kill":
            self._stage.kill(fault.target)
            self._last(fault, fault.target, lambda: self._stage.is_up_again(fault.target))
            return
        self._stage.freeze(fault.target)
        until = time.time() + fault.lasts_ms / 1_000

        def is_over() -> bool:
            if time.time() < until:
                return False
            self._stage.thaw(fault.target)
            return True

        self._last(fault, fault.target, is_over)

    def _break_a_server(self, fault: Fault) -> None:
        restarted = self._servers.submit(_restart, fault)
        self._last(fault, fault.target, lambda: _is_done(restarted))


def _restart(fault: Fault) -> None:
    server = {"postgres": postgres, "redis": redis}[fault.target]
    number = server.pid()
    if fault.kind == "kill" and number is not None:
        psutil.Process(number).send_signal(signal.SIGKILL)
    else:
        server.stop()
    time.sleep(fault.lasts_ms / 1_000)
    server.start()


def _is_done(work: Future[None]) -> bool:
    # A server that does not come back ends the soak: nothing after it would mean anything.
    return work.done() and work.result() is None


def _symbol(fault: Fault) -> str:
    return fault.target if fault.family is Family.ORDER else ""
