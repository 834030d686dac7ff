"""An entry that was filled and to which no stop can be given: never held in silence without one."""

import logging
from decimal import Decimal
from typing import Any

import pytest

from safetynet.models import GuardedPosition
from safetynet.poll import poll
from tests.trading.world import World, filled_without_a_stop
from trading import arming, settling
from trading.arming import DisarmRefused
from trading.models import Event


@pytest.mark.parametrize(
    "terms",
    [
        pytest.param({"stop_value": Decimal(50)}, id="refused by the stop's own rules"),
        pytest.param({"stop_kind": "distance", "distance": Decimal(70_000)}, id="refused by the database"),
    ],
)
def test_core_lets_go_of_it_loudly_and_the_next_poll_guards_it(
    world: World, caplog: pytest.LogCaptureFixture, terms: dict[str, Any]
) -> None:
    logging.getLogger("trading").addHandler(caplog.handler)
    try:
        position = filled_without_a_stop(world, **terms)
    finally:
        logging.getLogger("trading").removeHandler(caplog.handler)
    assert position.state == "error"
    assert Event.objects.get(kind="position.failed").data["error"] == position.note
    assert any(record.levelname == "CRITICAL" for record in caplog.records)

    assert poll(world.account, world.desk).failures == []
    guard = GuardedPosition.objects.get()
    (bought,) = world.orders("BUY")
    price = Decimal(bought["quote_executed"]) / Decimal(bought["executed"])
    assert guard.entry_price == position.entry_price == price
    assert guard.stop_price > 0


def test_a_long_reason_is_kept_as_far_as_it_fits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no" * 200)

    monkeypatch.setattr(settling, "_first_stop", refuse)
    position = filled_without_a_stop(world)
    assert (position.state, len(position.note)) == ("error", 255)
    assert position.note.startswith("filled, but without a stop: nono")


def test_what_is_in_error_is_put_away_by_disarming_it(world: World) -> None:
    position = filled_without_a_stop(world, stop_value=Decimal(50))
    arming.disarm(position=position, reason="seen to", at=world.desk.clock(), by="anna")
    position.refresh_from_db()
    assert (position.state, position.note) == ("closed", "seen to")
    assert Event.objects.get(kind="position.closed").data["by"] == "anna"
    with pytest.raises(DisarmRefused):
        arming.disarm(position=position, reason="again", at=world.desk.clock())
