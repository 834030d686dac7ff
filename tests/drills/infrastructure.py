"""Database, broker, or everything is away; and what must not grow for ever."""

import time

from safetynet.models import PollState
from tests.drills.registry import EVERYTHING, drill
from tests.drills.scene import Scene

POLL_S = 5
OUTAGE_S = 6.0


@drill(26, broke="everything killed: processes, database, broker", exits=2)
def a_gap_while_everything_was_down_is_acted_on_at_the_first_price(scene: Scene) -> None:
    """Back from nothing, with both markets long through their stops: both exits go out at once, once."""
    position, guard = scene.core(), scene.guarded()
    with scene.outage():
        scene.stage.programs.kill(*EVERYTHING)
        scene.stage.database.kill()
        scene.stage.broker.kill()
        scene.pierce(position)
        scene.pierce(guard)
        time.sleep(2)
        scene.stage.database.start()
        scene.stage.broker.start()
        scene.stage.programs.start(*EVERYTHING)
    scene.allow(POLL_S + 2, "one poll, 2 s to exit")
    scene.closed(position, guard)


@drill(27, broke="broker killed")
def core_exits_without_a_broker(scene: Scene) -> None:
    """The consumer's own executor needs none."""
    position = scene.core()
    scene.stage.broker.kill()
    scene.pierce(position)
    scene.allow(2, "2 s to exit")
    scene.closed(position)


@drill(27, broke="broker killed")
def the_safety_net_exits_without_a_broker(scene: Scene) -> None:
    """No worker hears of a poll or of an exit: the consumer runs the poll, and that executes the exit."""
    guard = scene.guarded()
    scene.stage.broker.kill()
    scene.pierce(guard)
    scene.allow(2 * POLL_S + 5 + 2, "two polls missed, 5 s to notice, 2 s to exit")
    scene.closed(guard)
    _polls_come_back(scene)


@drill(28, broke="database killed", exits=2)
def nothing_is_sent_without_a_record(scene: Scene) -> None:
    """While the database is away no order goes out; once it is back, both exits follow by themselves."""
    position, guard = scene.core(), scene.guarded()
    with scene.outage():
        scene.stage.database.kill()
        scene.pierce(position)
        scene.pierce(guard)
        scene.never(scene.exits, "an order without a record", for_s=OUTAGE_S)
        scene.stage.database.start()
    scene.allow(2 * POLL_S + 2, "the poll that failed and the next, 2 s to exit")
    scene.closed(position, guard)
    scene.expect("the alarm", scene.logged("consumer", "the database is away, trying again"), True)


@drill(28, broke="database hangs")
def a_database_that_hangs_delays_the_exit_and_nothing_else(scene: Scene) -> None:
    """The claim waits for its commit. By then its order is too old, and a new one follows at once."""
    position = scene.core()
    with scene.outage():
        scene.stage.database.hang()
        scene.pierce(position)
        scene.never(scene.exits, "an order without a record", for_s=OUTAGE_S)
        scene.stage.database.start()
    scene.allow(5, "5 s to exit")
    scene.closed(position)


def _polls_come_back(scene: Scene) -> None:
    """The workers poll again once the broker is there."""
    scene.stage.broker.start()
    state = PollState.objects.filter(account=scene.account, lease_holder__contains=":safetynet")
    last = state.values_list("last_started_at", flat=True)
    before = last.first()
    scene.until(lambda: state.exists() and last.first() != before, "a worker polls again")
