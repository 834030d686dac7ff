"""What the exchange says may be longer than a column: that never keeps an outcome from being recorded."""

import pytest

from tests.trading.world import World, fresh, interpose, signal_for
from trading import entry, execution
from trading.exchange.errors import ExchangeError, OutcomeUnknown, Refused
from trading.execution import Desk
from trading.models import OrderAttempt

LONG = "no " * 200


def failing(world: World, error: ExchangeError) -> Desk:
    def send(_: object) -> None:
        raise error

    return interpose(world, send_market_order=send)


@pytest.mark.parametrize(
    ("error", "status"), [(Refused(LONG), "not_executed"), (OutcomeUnknown(LONG), "unknown")]
)
def test_a_long_message_is_recorded_as_far_as_it_fits(
    world: World, error: ExchangeError, status: str
) -> None:
    intent = world.request_exit(world.enter())
    attempt = execution.take(intent.pk, world.desk)
    assert attempt is not None
    execution.run_attempt(attempt, failing(world, error))
    saved = OrderAttempt.objects.get(pk=attempt.pk)
    assert (saved.status, saved.error) == (status, LONG[:255])
    assert len(fresh(intent).last_error) == 255
    assert world.settle(intent, world.later(60)).state == "done"


def test_a_long_refusal_of_an_entry_becomes_its_note(world: World) -> None:
    position = world.armed()
    entry.enter(position=position, signal=signal_for(position), desk=failing(world, Refused(LONG)))
    position.refresh_from_db()
    assert position.state == "cancelled"
    assert position.note == position.intents.get().last_error
    assert len(position.note) == 255
