"""What the monitor makes of sights: an unprotected stretch must not escape it."""

from collections.abc import Iterable
from decimal import Decimal

import pytest

from tests.soak.monitor import Judgement, Lack, Monitor, judge
from tests.soak.outages import Outage
from tests.soak.sight import CorePart, Guard, Held, Robson, Sight
from trading.domain.types import Side

BOUND_S = 33.0
BTC = "BTCUSDT"


def held(quantity: str = "1", price: str = "100", side: Side = Side.LONG, episode: int = 1) -> Held:
    return Held(BTC, side, Decimal(quantity), Decimal("0.1"), Decimal(price), episode)


def core(state: str = "active", quantity: str = "1") -> CorePart:
    return CorePart(7, BTC, Side.LONG, state, Decimal(quantity))


def guard(stop: str = "98", quantity: str = "1", state: str = "guarding", *, touched: bool = False) -> Guard:
    return Guard(9, BTC, Side.LONG, state, Decimal(quantity), Decimal(stop), touched)


def watched(
    sights: Iterable[tuple[float, Held | None, Robson]],
    *,
    touched_at: float | None = None,
    outages: tuple[Outage, ...] = (),
) -> list[Judgement]:
    """What comes of sights of one pair: (seconds, what is held, what Robson knows)."""
    monitor = Monitor(lambda _core: touched_at)
    for at, one, robson in sights:
        monitor.look(Sight(at, (one,) if one else (), robson))
    return [judge(stretch, BOUND_S, outages) for stretch in monitor.all()]


NOBODY = Robson()
GUARDED = Robson(guards=(guard(),))


def test_what_is_known_and_far_from_its_stop_lacks_nothing() -> None:
    assert watched([(0, held(), GUARDED), (60, held(), GUARDED)]) == []
    assert watched([(0, held(), Robson(cores=(core(),))), (60, held(), Robson(cores=(core(),)))]) == []


@pytest.mark.parametrize(("known_after", "too_long"), [(20, False), (33, False), (34, True)])
def test_a_position_that_nobody_knows_is_timed(known_after: float, too_long: bool) -> None:
    [one] = watched([(0, held(), NOBODY), (10, held(), NOBODY), (known_after, held(), GUARDED)])
    assert (one.stretch.exposure.lack, one.stretch.seconds) == (Lack.UNKNOWN, known_after)
    assert one.too_long is too_long


def test_what_is_still_unprotected_at_the_end_counts() -> None:
    [one] = watched([(0, held(), NOBODY), (40, held(), NOBODY)])
    assert one.too_long
    assert not one.stretch.over


def test_a_position_that_follows_another_has_a_clock_of_its_own() -> None:
    found = watched(
        [
            (0, held(), NOBODY),
            (20, held(episode=2), NOBODY),
            (40, held(episode=2), NOBODY),
            (41, None, NOBODY),
        ]
    )
    assert [one.stretch.seconds for one in found] == [20, 21]


def test_an_outage_adds_its_own_time_and_no_more() -> None:
    sights = [(0.0, held(), NOBODY), (40.0, held(), GUARDED)]
    away = Outage("kill postgres", "postgres", begin=10, end=17)
    assert not watched(sights, outages=(away,))[0].too_long
    short = Outage("kill postgres", "postgres", begin=10, end=16)
    assert watched(sights, outages=(short,))[0].too_long


def test_a_machine_that_stood_still_is_nobodys_fault() -> None:
    sights = [(0.0, held(), NOBODY), (60.0, held(), GUARDED)]
    stalled = Outage("the machine stood still", "machine", begin=10, end=40)
    assert not watched(sights, outages=(stalled,))[0].too_long


def test_two_outages_at_once_are_not_counted_twice() -> None:
    sights = [(0.0, held(), NOBODY), (45.0, held(), GUARDED)]
    both = (Outage("kill postgres", "postgres", 10, 20), Outage("stop redis", "redis", 15, 21))
    [one] = watched(sights, outages=both)
    assert one.away_s == 11
    assert one.too_long


def test_an_outage_of_what_it_does_not_need_is_named_and_adds_nothing() -> None:
    sights = [(0.0, held(), NOBODY), (40.0, held(), GUARDED)]
    others = (Outage("mute_stream", "mute_stream", 5, 30), Outage("kill consumer", "consumer", 5, 30))
    [one] = watched(sights, outages=others)
    assert one.away_s == 0
    assert one.outages == others
    assert one.too_long


def test_an_outage_before_it_began_adds_nothing() -> None:
    sights = [(100.0, held(), NOBODY), (140.0, held(), GUARDED)]
    [one] = watched(sights, outages=(Outage("kill postgres", "postgres", 10, 99),))
    assert one.too_long
    assert one.outages == ()


def test_a_touched_stop_of_cores_is_timed_from_its_touch() -> None:
    exiting = Robson(cores=(core("exiting"),))
    [one] = watched(
        [(0, held(), Robson(cores=(core(),))), (50, held(), exiting), (51, None, NOBODY)], touched_at=2.5
    )
    assert (one.stretch.exposure.lack, one.stretch.seconds) == (Lack.DUE, 48.5)
    assert one.too_long


def test_an_exit_that_was_asked_for_is_timed_from_when_it_was_seen() -> None:
    [one] = watched([(3, held(), Robson(cores=(core("exiting"),))), (40, None, NOBODY)])
    assert (one.stretch.exposure.lack, one.stretch.seconds) == (Lack.DUE, 37)


def test_an_entry_that_is_filled_and_not_recorded_has_no_stop() -> None:
    entering = Robson(cores=(core("entering", "0"),))
    [one] = watched([(0, held(), entering), (40, held(), Robson(cores=(core(),)))])
    assert one.stretch.exposure.lack is Lack.NO_STOP
    assert one.too_long


def test_a_price_through_a_guards_stop_is_timed() -> None:
    through, gone = held(price="97.9"), None
    [one] = watched([(0, held(), GUARDED), (1, through, GUARDED), (35, through, GUARDED), (36, gone, NOBODY)])
    assert (one.stretch.exposure.lack, one.stretch.seconds) == (Lack.DUE, 35)
    assert one.too_long


def test_the_stop_of_a_short_is_above_it() -> None:
    short = Guard(9, BTC, Side.SHORT, "guarding", Decimal(1), Decimal(102))
    known = Robson(guards=(short,))
    [one] = watched([(0, held(price="102", side=Side.SHORT), known), (40, None, NOBODY)])
    assert one.stretch.exposure.lack is Lack.DUE
    assert watched([(0, held(price="101.9", side=Side.SHORT), known), (40, None, NOBODY)]) == []


def test_a_price_that_comes_back_before_a_poll_is_none_for_the_safety_net() -> None:
    found = watched(
        [(0, held(price="97"), GUARDED), (5, held(), GUARDED), (50, held(), GUARDED), (60, None, NOBODY)]
    )
    assert [one.stretch.seconds for one in found] == [5]


def test_a_touch_that_a_poll_saw_stays_due_whatever_the_price_does() -> None:
    touched = Robson(guards=(guard(touched=True),))
    [one] = watched([(0, held(price="97"), touched), (20, held(), touched), (40, None, NOBODY)])
    assert one.too_long


def test_what_the_owner_has_exempted_lacks_nothing() -> None:
    exempt = frozenset({(BTC, Side.LONG)})
    known = Robson(guards=(guard(),), exempt=exempt)
    assert watched([(0, held(price="90"), known), (60, held(price="90"), known)]) == []
    assert watched([(0, held(), Robson(exempt=exempt)), (60, held(), Robson(exempt=exempt))]) == []


def test_an_exit_under_way_is_due_though_the_slot_is_exempt() -> None:
    known = Robson(guards=(guard(state="exiting"),), exempt=frozenset({(BTC, Side.LONG)}))
    [one] = watched([(0, held(), known), (40, None, NOBODY)])
    assert one.too_long


def test_what_is_beside_cores_part_must_be_guarded_too() -> None:
    beside = Robson(cores=(core(),))
    [one] = watched(
        [
            (0, held("1.5"), beside),
            (40, held("1.5"), Robson(cores=(core(),), guards=(guard(quantity="0.5"),))),
        ]
    )
    assert one.stretch.exposure.lack is Lack.SURPLUS
    assert one.too_long
    assert watched([(0, held("1.05"), beside), (40, held("1.05"), beside)]) == []


def test_a_guard_that_has_followed_begins_a_new_clock() -> None:
    before, after = Robson(guards=(guard(),)), Robson(guards=(guard(quantity="2"),))
    found = watched(
        [(0, held("2"), before), (19, held("3"), after), (38, held("3"), after), (39, None, NOBODY)]
    )
    assert [one.stretch.seconds for one in found] == [19, 20]
