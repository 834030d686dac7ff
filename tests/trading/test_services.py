"""The verbs of Core after its entry: save progress, ask for an exit, exit at once, panic."""

import logging
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import OperationalError, connections
from pytest_django.fixtures import Settings

from tests import factories
from tests.safetynet.support import held_elsewhere
from tests.trading.world import SYMBOL, World, interpose, signal_for
from trading import entry, execution, gateway, journal, services
from trading.domain.lifecycle import IllegalTransition, PositionState
from trading.domain.trailing import on_price
from trading.domain.types import MarketOrder, OrderReport, Side
from trading.models import Account, Event, OrderIntent, Position
from trading.models.intent import Owner
from trading.services import Progress

ACTIVE = PositionState.ACTIVE


def progress(position: Position, extreme: int, time_ms: int, announced: Decimal | None = None) -> Progress:
    return Progress(position.pk, Decimal(extreme), Decimal(extreme - 1200), time_ms, announced)


def saved(position: Position) -> tuple[Decimal | None, int]:
    position.refresh_from_db()
    return position.extreme_price, position.extreme_time_ms


@pytest.mark.parametrize(("side", "peaks"), [(Side.LONG, (62_000, 61_000)), (Side.SHORT, (58_000, 59_000))])
def test_a_saved_stop_never_loosens(world: World, side: Side, peaks: tuple[int, int]) -> None:
    """Whoever is later with a worse peak was not there for the better one."""
    position = factories.core_position(side=side, extreme_time_ms=100)
    away = Decimal(-1_200 if side is Side.LONG else 1_200)
    best, later = (
        Progress(position.pk, Decimal(peak), peak + away, time_ms)
        for peak, time_ms in zip(peaks, (200, 300), strict=True)
    )
    services.save_progress(batch=[best, later], at=factories.NOON)
    assert saved(position) == (best.extreme, best.time_ms)
    assert position.stop_price == best.stop


def test_progress_is_saved_and_announced_when_asked(world: World) -> None:
    position = factories.core_position(extreme_time_ms=100)
    services.save_progress(batch=[progress(position, 61_000, 200)], at=factories.NOON)
    assert saved(position) == (Decimal(61_000), 200)
    assert position.stop_price == Decimal(59_800)
    assert not Event.objects.exists()
    services.save_progress(batch=[progress(position, 62_000, 300, Decimal(58_800))], at=factories.NOON)
    event = Event.objects.get()
    assert (event.kind, event.data) == (
        "position.stop_raised",
        {"stop": "60800", "before": "58800", "extreme": "62000"},
    )


def test_progress_of_one_position_leaves_the_others_where_they_were(world: World) -> None:
    other = factories.core_position("ETHUSDT", extreme_time_ms=100)
    before = saved(other)
    position = factories.core_position(extreme_time_ms=100)
    services.save_progress(batch=[progress(position, 61_000, 200)], at=factories.NOON)
    assert saved(other) == before


def test_stop_and_its_announcement_are_saved_together_or_not_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    position = factories.core_position(extreme_time_ms=100)
    before = saved(position)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(journal, "append", broken)
    with pytest.raises(RuntimeError, match="disk full"):
        services.save_progress(batch=[progress(position, 61_000, 200, Decimal(1))], at=factories.NOON)
    assert saved(position) == before


def test_older_progress_does_not_overwrite_newer(world: World) -> None:
    position = factories.core_position(extreme_time_ms=300, extreme_price=Decimal(62_000))
    services.save_progress(batch=[progress(position, 61_000, 299, Decimal(1))], at=factories.NOON)
    assert saved(position) == (Decimal(62_000), 300)
    assert not Event.objects.exists()


@pytest.mark.parametrize("state", [PositionState.EXITING, PositionState.CLOSED])
def test_progress_of_a_position_that_has_left_active_is_dropped(world: World, state: PositionState) -> None:
    position = factories.core_position(state=state)
    services.save_progress(batch=[progress(position, 61_000, 10**13, Decimal(1))], at=factories.NOON)
    assert saved(position)[0] == Decimal(60_000)
    assert not Event.objects.exists()


def test_exit_asked_for_twice_is_one_intent(world: World) -> None:
    position = factories.core_position()
    same = Position.objects.select_related("slot__account").get(pk=position.pk)
    world.request_exit(position)
    for asker in (position, same):
        assert services.request_exit(position=asker, reason="again", at=factories.NOON) is None
    assert OrderIntent.objects.count() == 1
    assert Event.objects.filter(kind="position.exit_requested").count() == 1


def test_exit_of_a_slot_with_a_live_safety_exit_changes_nothing(world: World) -> None:
    position = factories.core_position()
    factories.intent(position.slot, owner=execution.Owner.SAFETY_NET)
    assert services.request_exit(position=position, reason="stop", at=factories.NOON) is None
    assert services.exit_now(position=position, reason="stop", desk=world.desk) is None
    assert position.state == ACTIVE
    position.refresh_from_db()
    assert position.state == ACTIVE
    assert not Event.objects.exists()


@pytest.mark.parametrize("at_once", [False, True])
def test_an_exit_that_another_stands_in_the_way_of_says_so(
    world: World, caplog: pytest.LogCaptureFixture, at_once: bool
) -> None:
    position = factories.core_position()
    factories.intent(position.slot, owner=execution.Owner.SAFETY_NET)
    if at_once:
        services.exit_now(position=position, reason="stop", desk=world.desk)
    else:
        services.request_exit(position=position, reason="stop", at=factories.NOON)
    assert [message for message in caplog.messages if "already under way" in message] == [
        f"exit of {position} not claimed: {position.slot}: an exit is already under way"
    ]


@pytest.mark.parametrize("state", [state for state in PositionState if state is not ACTIVE])
def test_only_an_active_position_can_be_exited(world: World, state: PositionState) -> None:
    position = factories.core_position(state=state)
    assert services.request_exit(position=position, reason="test", at=factories.NOON) is None
    assert services.exit_now(position=position, reason="test", desk=world.desk) is None
    assert not OrderIntent.objects.exists()


def test_exit_at_once_is_committed_before_its_order_is_sent(world: World) -> None:
    """Another connection, at the moment of the order, sees the intent that names it."""
    position = world.enter()
    seen: list[tuple[str, str]] = []

    def send(order: MarketOrder) -> OrderReport:
        other = connections.create_connection("default")
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT p.state, i.state FROM trading_position p "
                "JOIN trading_orderintent i ON i.position_id = p.id AND i.purpose = 'exit'"
            )
            seen.extend(cursor.fetchall())
        other.close()
        return world.exchange.send_market_order(order)

    intent = services.exit_now(
        position=position, reason="stop", desk=interpose(world, send_market_order=send)
    )
    assert seen == [("exiting", "sending")]
    assert intent is not None
    assert intent.state == "done"


def test_exit_at_once_records_the_stop_as_the_caller_saw_it(world: World) -> None:
    position = world.enter()
    entry_ms = position.extreme_time_ms
    raised = on_price(position.trailing, Decimal(63_000), entry_ms + 1).next
    fired = on_price(raised, Decimal(61_000), entry_ms + 2).next
    assert fired.fired
    services.exit_now(
        position=position, reason="trailing stop", desk=world.desk, trigger_price=Decimal(61_000), stop=fired
    )
    position.refresh_from_db()
    assert (position.state, position.extreme_price) == ("closed", Decimal(63_000))
    assert position.stop_price == fired.stop
    event = Event.objects.get(kind="position.exit_requested")
    assert (event.data["price"], Decimal(event.data["stop"])) == ("61000", position.stop_price)


def test_exit_by_the_first_stop_of_a_position_that_never_activated(world: World) -> None:
    """Its stop trails nothing yet: there is no extreme to record, and the exit must not fail for that."""
    position = factories.core_position(activation_price=Decimal(70_000))
    fired = on_price(position.trailing, Decimal(58_000), 10**13).next
    assert fired.fired
    assert fired.extreme is None
    intent = services.exit_now(position=position, reason="stop", desk=world.desk, stop=fired)
    assert intent is not None
    position.refresh_from_db()
    assert (position.state, position.extreme_price) == ("closed", Decimal(60_000))


def test_panic_pauses_disarms_and_claims_an_exit_for_every_active_position(world: World) -> None:
    armed = world.armed(symbol="ETHUSDT")
    active = world.enter()
    exiting = factories.core_position("BNBUSDT", state=PositionState.EXITING)
    strangers = factories.core_position("SOLUSDT", of=factories.account("other"))
    (intent,) = services.panic(account=world.account, reason="panic", at=factories.NOON)
    assert (intent.position, intent.owner, intent.state) == (active, "operator", "pending")
    assert Account.objects.get(pk=world.account.pk).entries_paused
    states = {position.pk: position.state for position in Position.objects.all()}
    assert states == {
        armed.pk: "cancelled",
        active.pk: "exiting",
        exiting.pk: "exiting",
        strangers.pk: "active",
    }
    armed.refresh_from_db()
    assert (armed.note, armed.closed_at) == ("panic", factories.NOON)
    assert world.settle(intent).state == "done"
    assert services.panic(account=world.account, reason="again", at=factories.NOON) == []


def test_panic_counts_no_exit_for_a_slot_in_which_one_is_live_already(world: World) -> None:
    position = world.enter()
    factories.intent(position.slot, owner=Owner.SAFETY_NET, quantity="0.001")
    assert services.panic(account=world.account, reason="panic", at=factories.NOON) == []


@pytest.mark.parametrize("held", ["ETHUSDT", "SOLUSDT", "BNBUSDT"])
def test_panic_closes_the_others_although_one_row_is_held(world: World, held: str) -> None:
    position = world.enter()
    others = {"ETHUSDT": world.armed(symbol="ETHUSDT"), "SOLUSDT": world.enter(symbol="SOLUSDT")}
    others["BNBUSDT"] = factories.core_position("BNBUSDT", state=PositionState.ENTERING, of=world.account)
    lock = "SELECT id FROM trading_position WHERE id = %s FOR UPDATE"
    with held_elsewhere(lock, others[held].pk), pytest.raises(OperationalError):
        services.panic(account=world.account, reason="panic", at=factories.NOON)
    position.refresh_from_db()
    assert position.state == PositionState.EXITING


def test_panic_leaves_entries_of_other_accounts_alone(world: World) -> None:
    other = factories.core_position("SOLUSDT", state=PositionState.ENTERING, of=factories.account("other"))
    services.panic(account=world.account, reason="panic", at=factories.NOON)
    other.refresh_from_db()
    assert other.exit_reason == ""


def enter_while(world: World, happens: Callable[[], object]) -> Position:
    """An entry whose order is about to be sent when something else happens."""
    position = world.armed()

    def send(order: MarketOrder) -> OrderReport:
        happens()
        return world.exchange.send_market_order(order)

    desk = interpose(world, send_market_order=send)
    assert entry.enter(position=position, signal=signal_for(position), desk=desk)
    position.refresh_from_db()
    return position


def test_panic_while_an_entry_is_on_its_way_exits_it_once_it_is_filled(world: World) -> None:
    position = enter_while(
        world, lambda: services.panic(account=world.account, reason="panic", at=world.desk.clock())
    )
    assert (position.state, position.exit_reason) == ("exiting", "panic")
    intent = OrderIntent.objects.get(position=position, purpose="exit")
    assert (intent.owner, intent.quantity) == ("operator", position.quantity)
    assert world.settle(intent).state == "done"
    assert world.pair().base.net < Decimal("0.00001")
    assert not world.violations()


def test_entry_that_fills_while_entries_are_only_paused_is_kept(world: World) -> None:
    position = enter_while(world, lambda: Account.objects.update(entries_paused=True))
    assert (position.state, position.exit_reason) == ("active", "")


def test_state_moves_only_from_where_the_caller_saw_it(world: World) -> None:
    position = factories.core_position()
    stale = Position.objects.get(pk=position.pk)
    assert journal.advance(position, PositionState.EXITING, at=factories.NOON, exit_reason="first")
    assert not journal.advance(stale, PositionState.EXITING, at=factories.NOON, exit_reason="second")
    assert (stale.state, stale.exit_reason) == ("active", "")
    position.refresh_from_db()
    assert position.exit_reason == "first"
    assert Event.objects.count() == 1


def test_step_outside_the_table_is_refused_before_anything_is_written(world: World) -> None:
    position = factories.core_position()
    with pytest.raises(IllegalTransition):
        journal.advance(position, PositionState.ARMED, at=factories.NOON)
    assert not Event.objects.exists()


def test_event_and_state_are_one_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    position = factories.core_position()
    monkeypatch.setattr(journal, "source", lambda: "x" * 65)
    with pytest.raises(Exception, match="too long"), journal.atomic(position):
        journal.advance(position, PositionState.EXITING, at=factories.NOON)
    assert position.state == ACTIVE
    position.refresh_from_db()
    assert position.state == ACTIVE


@pytest.mark.parametrize("side", list(Side))
def test_no_call_to_the_exchange_happens_inside_a_transaction(world: World, side: Side) -> None:
    """Strict mode is on in tests: a whole entry and exit with every kind of call proves rule 2."""
    world.control.fault("timeout_after_accept", count=1, path="margin/order", method="POST")
    position = world.armed(side)
    entry.enter(position=position, signal=signal_for(position), desk=world.desk)
    world.settle(OrderIntent.objects.get())
    position.refresh_from_db()
    world.control.fault("partial_fill", ratio="0.5", count=1)
    assert world.settle(world.request_exit(position)).state == "done"


def call_inside_a_transaction(world: World, position: Position) -> None:
    with journal.atomic(position):
        world.exchange.price(SYMBOL)


def test_call_inside_a_transaction_is_refused(world: World) -> None:
    position = factories.core_position()
    with pytest.raises(gateway.CallInTransaction, match="price"):
        call_inside_a_transaction(world, position)


def test_in_production_such_a_call_is_logged_and_made(
    world: World, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.STRICT_TRANSACTIONS = False
    logging.getLogger("trading").addHandler(caplog.handler)
    try:
        call_inside_a_transaction(world, factories.core_position())
    finally:
        logging.getLogger("trading").removeHandler(caplog.handler)
    assert "exchange call price inside a database transaction" in caplog.text


def test_nobody_else_takes_an_exit_while_its_first_order_is_on_its_way(world: World) -> None:
    position = world.enter()
    taken: list[object] = []

    def send(order: MarketOrder) -> OrderReport:
        intent = OrderIntent.objects.get(position=position, purpose="exit")
        soon, late = world.later(1), world.later(settings.INTENT_LEASE_S + 1)
        taken.append(execution.take(intent.pk, soon))
        assert execution.due_intents(late.clock()) == [intent.pk]
        return world.exchange.send_market_order(order)

    services.exit_now(position=position, reason="stop", desk=interpose(world, send_market_order=send))
    assert taken == [None]
