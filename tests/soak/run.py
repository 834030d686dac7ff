"""A soak from start to verdict."""

import threading
import time
from collections.abc import Iterator
from typing import TypeVar

from django.conf import settings

from robson.local.simulator import Control, SimulatorError
from tests.soak import ending, timeline
from tests.soak.audit import problems, stops, unthought_of, violations
from tests.soak.breaking import Breaking
from tests.soak.deeds import Deed
from tests.soak.diary import Diary
from tests.soak.faults import Fault
from tests.soak.market import Market
from tests.soak.monitor import Judgement, Monitor, judge
from tests.soak.observer import Observer
from tests.soak.oracle import Oracle
from tests.soak.outages import Outages
from tests.soak.owner import Owner
from tests.soak.schedule import Schedule
from tests.soak.stage import Say, Stage
from tests.soak.stalls import Stalls
from tests.soak.summary import Problem, Result
from trading.models import Account

LOOK_S = 0.5
TICK_S = 0.05
PROGRESS_S = 10.0

Due = TypeVar("Due", Deed, Fault)


class Soak:
    """One run on an opened stage."""

    def __init__(self, stage: Stage, schedule: Schedule, say: Say) -> None:
        self.stage, self.schedule, self.say = stage, schedule, say
        self.account = Account.objects.create(name="main")
        self.diary, self.outages = Diary(), Outages()
        self.started = time.time() + 1.0
        url = stage.simulator.url
        self.market = Market(Control(url), schedule.prints, started=self.started)
        self.owner = Owner(url, self.account, self.market.tape, self.diary)
        self.breaking = Breaking(stage, self.outages, self.diary)
        self.oracle = Oracle(self.market.tape)
        self.monitor = Monitor(self.oracle.touched_at)
        self.stalls = Stalls(self.outages)
        self._observer = Observer(Control(url), self.market.tape)
        self._watching = threading.Event()
        self._watch = threading.Thread(target=self._look_on, name="monitor", daemon=True)
        self._told = 0.0

    def run(self) -> Result:
        """Everything on the schedule, then the end of it. Ctrl-C leaves out what is left."""
        interrupted = False
        for thread in (self.market, self.stalls, self._watch):
            thread.start()
        try:
            self._follow_schedule()
            self.say("everything works again from here on; what is left is closed")
            ending.come_to_rest(self)
        except KeyboardInterrupt:
            interrupted = True
            self.say("interrupted")
        finally:
            self._watching.set()
            self._watch.join()
            self.market.close()
            self.stalls.close()
        return self._result(interrupted=interrupted)

    def tend(self) -> None:
        """What the main thread does all the time."""
        self.breaking.tend()
        self.stage.supervisor.tend()
        if time.time() - self._told > PROGRESS_S:
            self._told = time.time()
            self.say(self._progress())
        time.sleep(TICK_S)

    def _follow_schedule(self) -> None:
        deeds, faults = list(self.schedule.deeds[::-1]), list(self.schedule.faults[::-1])
        end = self.started + self.schedule.minutes * 60
        while time.time() < end:
            now_ms = (time.time() - self.started) * 1_000
            for deed in _due(deeds, now_ms):
                self.owner.begin(deed)
            for fault in _due(faults, now_ms):
                self.breaking.begin(fault)
            self.tend()

    def _look_on(self) -> None:
        while not self._watching.wait(LOOK_S):
            try:
                sight = self._observer.look()
            except SimulatorError as error:
                self.diary.note("monitor", f"no sight: {error}")
                continue
            known = len(self.monitor.last.violations) if self.monitor.last else 0
            self.monitor.look(sight)
            for one in sight.violations[known:]:
                self.diary.note(
                    "monitor", f"VIOLATION {one['kind']}: {one['client_order_id']}", one["symbol"]
                )

    def judged(self) -> list[Judgement]:
        """All stretches so far, each beside what is allowed."""
        return [
            judge(stretch, bound_s(), self.outages.during(stretch.exposure.since, stretch.end))
            for stretch in self.monitor.all()
        ]

    def _progress(self) -> str:
        sight, judged = self.monitor.last, self.judged()
        passed = max(0.0, time.time() - self.started)
        lasting = [one.stretch.seconds for one in judged if not one.stretch.over]
        worst = max((one.stretch.seconds for one in judged), default=0.0)
        broken = ", ".join(self.breaking.lasting) or "nothing"
        return (
            f"{int(passed) // 60:2}:{int(passed) % 60:02} of {self.schedule.minutes:g} min"
            f"  open {len(sight.held) if sight else 0}, Core's {len(sight.robson.cores) if sight else 0},"
            f" guards {len(sight.robson.guards) if sight else 0}"
            f"  unprotected {len(lasting)}, for {max(lasting, default=0.0):.1f} s; longest {worst:.1f} s"
            f"  violations {len(sight.violations) if sight else 0}  broken: {broken}"
        )

    def _result(self, *, interrupted: bool) -> Result:
        control = self.stage.simulator.control
        ledger, orders = control.ledger(), control.orders()
        wrong, crossed = violations(ledger, orders)
        at_the_end = [] if interrupted else [*problems(ledger, orders), *stops(self.oracle.trails)]
        return Result(
            seed=self.schedule.seed,
            minutes=self.schedule.minutes,
            digest=self.schedule.digest,
            prices=self.market.tape.count,
            late_s=self.market.most_late_s,
            stalled_s=self.stalls.seconds,
            interrupted=interrupted,
            figures=timeline.figures(orders),
            deeds=self.diary.counts["owner"],
            faults=self.diary.counts["fault"],
            judged=self.judged(),
            crossed=crossed,
            problems=[*wrong, *unthought_of(self.stage.logs), *self._unexpected(), *at_the_end],
        )

    def _unexpected(self) -> list[Problem]:
        entries = (entry for entry in self.diary.entries if ": unexpected: " in entry.what)
        return [Problem(f"{entry.who}: {entry.what}", entry.symbol) for entry in entries]


def _due(waiting: list[Due], now_ms: float) -> Iterator[Due]:
    """Take what is due from the end of a list that is in reverse order."""
    while waiting and waiting[-1].at_ms <= now_ms:
        yield waiting.pop()


def bound_s() -> float:
    """One poll interval and the fence, in seconds."""
    fence_ms = settings.ORDER_RECV_WINDOW_MS + settings.BACKEND_TIMEOUT_MS
    return float(settings.POLL_INTERVAL_S + fence_ms / 1_000)
