"""The soak's own opinion on trailing stops, against the function that defines them."""

from dataclasses import replace
from decimal import Decimal
from itertools import islice

import pytest

from tests.soak import prices
from tests.soak.market import Printed, Tape
from tests.soak.oracle import Oracle
from tests.soak.sight import CorePart
from trading.domain.trailing import on_price, trailing_from_entry
from trading.domain.types import Side

SYMBOL = "ETHUSDT"


def taped(seed: int) -> Tape:
    tape = Tape()
    for one in islice(prices.walk(seed, SYMBOL), 1_200):
        tape.add(SYMBOL, Printed(one.at_ms / 1_000, one.at_ms, one.price))
    return tape


def position(side: Side, entry: Decimal, filled_ms: int) -> CorePart:
    return CorePart(1, SYMBOL, side, "active", Decimal(1), entry, entry / 50, filled_ms)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("seed", range(10))
def test_both_see_the_same_touch(seed: int, side: Side) -> None:
    tape = taped(seed)
    first, *rest = tape.of(SYMBOL)
    stop = trailing_from_entry(side, first.price / 50, first.price, first.time_ms)
    expected = None
    for printed in rest:
        step = on_price(stop, printed.price, printed.time_ms)
        stop = step.next
        if step.fired:
            expected = printed.at
            break

    assert expected is not None
    assert Oracle(tape).touched_at(position(side, first.price, first.time_ms)) == expected


def test_prices_up_to_the_fill_and_older_ones_do_not_count() -> None:
    tape = Tape()
    for time_ms, price in ((1, "90"), (2, "90"), (5, "100"), (4, "90")):
        tape.add(SYMBOL, Printed(float(time_ms), time_ms, Decimal(price)))

    assert Oracle(tape).touched_at(position(Side.LONG, Decimal(100), 2)) is None


def test_a_touch_is_not_taken_back() -> None:
    tape, core = Tape(), position(Side.LONG, Decimal(100), 0)
    oracle = Oracle(tape)
    for time_ms, price in ((1, "99"), (2, "98"), (3, "120")):
        tape.add(SYMBOL, Printed(float(time_ms), time_ms, Decimal(price)))
        oracle.touched_at(core)

    assert oracle.touched_at(core) == 2.0


def test_there_is_no_stop_before_the_entry() -> None:
    entering = replace(position(Side.LONG, Decimal(100), 0), entry=None, distance=None)
    assert Oracle(taped(1)).touched_at(entering) is None
