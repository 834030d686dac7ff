"""A schedule is a pure function of its seed."""

import os
import subprocess
import sys

import pytest

from simulator.symbols import CATALOG
from tests.soak.deeds import Verb
from tests.soak.faults import PROCESSES, Family
from tests.soak.prices import HIGHEST, LOWEST
from tests.soak.schedule import SYMBOLS, WITH_COINS, plan
from trading.domain.types import Side


def test_the_same_seed_gives_the_same_schedule() -> None:
    assert plan(7, 2) == plan(7, 2)
    assert plan(7, 2).digest == plan(7, 2).digest


def test_it_is_the_same_in_every_process() -> None:
    ask = "from tests.soak.schedule import plan; print(plan(7, 2).digest)"
    told = subprocess.run(
        [sys.executable, "-c", ask],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == plan(7, 2).digest


def test_another_seed_gives_another_schedule() -> None:
    one, other = plan(7, 2), plan(8, 2)
    assert one.digest != other.digest
    assert one.prints != other.prints
    assert one.deeds != other.deeds
    assert one.faults != other.faults


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    short, long = plan(7, 1), plan(7, 3)
    for one, other in ((short.prints, long.prints), (short.deeds, long.deeds), (short.faults, long.faults)):
        assert len(one) < len(other)
        assert other[: len(one)] == one


def test_everything_is_in_the_order_of_time() -> None:
    schedule = plan(7, 3)
    for parts in (schedule.prints, schedule.deeds, schedule.faults):
        moments = [one.at_ms for one in parts]
        assert moments == sorted(moments)
        assert moments[-1] < 3 * 60_000


def test_every_price_is_one_that_the_exchange_takes() -> None:
    for one in plan(7, 3).prints:
        info = CATALOG[one.symbol]
        assert one.price % info.tick == 0
        assert info.reference_price * LOWEST <= one.price <= info.reference_price * HIGHEST


@pytest.mark.parametrize("seed", range(1, 6))
def test_twenty_minutes_have_something_of_everything(seed: int) -> None:
    schedule = plan(seed, 20)
    assert {one.symbol for one in schedule.prints} == set(SYMBOLS)
    assert {deed.verb for deed in schedule.deeds} == set(Verb)
    assert {fault.family for fault in schedule.faults} == set(Family)
    broken = {fault.target for fault in schedule.faults}
    assert broken >= {*PROCESSES, "redis", "postgres"}


def test_coins_of_ones_own_are_not_sold_for_a_short() -> None:
    deeds = [deed for deed in plan(7, 20).deeds if deed.symbol in WITH_COINS]
    assert not any(deed.verb is Verb.FLIP for deed in deeds)
    assert {deed.side for deed in deeds if deed.verb is Verb.OPEN} == {Side.LONG}
