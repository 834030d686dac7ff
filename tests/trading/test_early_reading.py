"""What an exit holds is read while it is claimed; a claim that had to wait does not trust that reading."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from tests.trading.world import World, interpose
from trading import execution, gateway, services
from trading.domain.types import MarginPair, Side
from trading.execution import Desk
from trading.models import Position
from trading.planning import EARLY_READ_LASTS, pair_of

pytestmark = pytest.mark.django_db(transaction=True)

MOMENT = timedelta(milliseconds=1)


@dataclass
class Exit:
    """An exit in threads of its own. `reading` is done once the exchange has told what it holds."""

    world: World
    waited: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        self.reading: Future[MarginPair] = Future()

    def start(self, position: Position) -> Future[None]:
        return ThreadPoolExecutor(max_workers=1).submit(self._run, position)

    def _run(self, position: Position) -> None:
        desk = Desk(gateway.exchange_for(self.world.account), "another", self._now)
        try:
            services.exit_now(position=position, reason="test", desk=desk, begin_read=self._begin)
        finally:
            connection.close()

    def _begin(self) -> Callable[[], MarginPair]:
        reader = ThreadPoolExecutor(max_workers=1)
        reader.submit(self._read)
        return self.reading.result

    def _read(self) -> None:
        exchange = gateway.exchange_for(self.world.account)
        self.reading.set_result(pair_of(exchange, "BTCUSDT"))

    def _now(self) -> datetime:
        return self.world.desk.clock() + self.waited


@pytest.mark.parametrize("side", [Side.SHORT, Side.LONG])
def test_what_the_owner_closes_while_the_claim_waits_is_not_closed_again(world: World, side: Side) -> None:
    position = world.enter(side)
    leaving = Exit(world)
    with transaction.atomic():
        execution.lock_slot(position.slot_id)
        done = leaving.start(position)
        leaving.reading.result(10)
        world.control.trade(side.exit_order, "all", symbol="BTCUSDT")
        leaving.waited = EARLY_READ_LASTS + MOMENT
    done.result(20)
    assert world.orders(side.exit_order) == []
    position.refresh_from_db()
    assert (position.state, position.exit_reason) == ("closed", "test: found flat")
    assert world.violations() == []


@pytest.mark.parametrize(("age_ms", "holds"), [(-1, False), (0, True), (250, True), (251, False)])
def test_a_reading_holds_for_a_quarter_of_a_second_and_not_if_the_clock_was_set_back(
    world: World, age_ms: int, holds: bool
) -> None:
    early = world.early(world.pair())
    assert early.still_holds(early.began + age_ms * MOMENT) is holds


def test_a_reading_of_just_now_is_not_asked_for_again(world: World) -> None:
    position = world.enter()
    pair = world.pair()

    def asked_again(_symbols: object = ()) -> None:
        raise AssertionError("the balances were read already")

    desk = interpose(world, margin_pairs=asked_again)
    services.exit_now(position=position, reason="test", desk=desk, begin_read=lambda: lambda: pair)
    assert len(world.orders("SELL")) == 1


def test_a_reading_counts_from_before_it_was_begun(world: World) -> None:
    """Whoever begins it may be held up right afterwards, by as much as the machine likes."""
    position = world.enter()
    pair, asked, late = world.pair(), list[object](), list[timedelta]()

    def ask_again(symbols: object = ()) -> object:
        asked.append(symbols)
        return world.exchange.margin_pairs(["BTCUSDT"])

    def begin() -> Callable[[], MarginPair]:
        late.append(EARLY_READ_LASTS + MOMENT)
        return lambda: pair

    desk = replace(
        interpose(world, margin_pairs=ask_again),
        clock=lambda: world.desk.clock() + sum(late, timedelta(0)),
    )
    services.exit_now(position=position, reason="test", desk=desk, begin_read=begin)
    assert asked
    assert len(world.orders("SELL")) == 1
