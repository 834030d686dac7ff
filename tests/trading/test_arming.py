"""Arming: what is accepted, and what is refused in words that say why."""

from decimal import Decimal
from typing import Any

import pytest

from tests import factories
from tests.trading.world import SYMBOL, World
from trading import arming
from trading.arming import ArmOrder, ArmRefused, DisarmRefused
from trading.domain.lifecycle import PositionState
from trading.domain.stops import StopKind, StopPolicy
from trading.domain.types import Side
from trading.exchange.port import MAX_STREAMS
from trading.models import Account, Event, Position, Slot


def arm(world: World, **terms: Any) -> Position:
    order = ArmOrder(**{"symbol": SYMBOL, **terms})
    return arming.arm(account=world.account, order=order, exchange=world.exchange, at=factories.NOON)


def test_symbol_alone_is_enough(world: World) -> None:
    position = arm(world, symbol=" btcusdt ")
    assert (position.slot.symbol, position.slot.side, position.state) == (SYMBOL, "long", "armed")
    assert (position.fast_period, position.slow_period, position.interval) == (9, 21, "15m")
    assert (position.capital, position.risk_percent) == (world.account.capital, world.account.risk_percent)
    assert Event.objects.get().kind == "position.armed"


def test_preview_writes_nothing_and_tells_the_loss_at_the_stop(world: World) -> None:
    seen = arming.preview(account=world.account, order=ArmOrder(symbol=SYMBOL), exchange=world.exchange)
    assert (seen.price, seen.distance, seen.stop_price) == (Decimal(60_000), Decimal(1_200), Decimal(58_800))
    assert Decimal("9.9") < seen.loss_at_stop <= 10
    assert not Position.objects.exists()


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"symbol": "NOSUCHUSDT"}, "does not know the symbol 'NOSUCHUSDT'"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "币安人生USDT"}, "not spelled in ASCII"),
        ({"symbol": "LUNCUSDT"}, "LUNCUSDT is not trading"),
        ({"capital": Decimal(6)}, "too small"),
        ({"capital": Decimal(0)}, "capital"),
        ({"capital": Decimal(-5)}, "capital"),
        ({"risk_percent": Decimal(0)}, "risk"),
        ({"risk_percent": Decimal(11)}, "risk_percent"),
        ({"stop": StopPolicy(StopKind.PERCENT, Decimal(11))}, "10 %"),
        ({"stop": StopPolicy(StopKind.DISTANCE, Decimal(1))}, "0.1 %"),
        (
            {"fast_period": 21, "slow_period": 9},
            r"fast average \(21\) must be shorter than the slow one \(9\)",
        ),
        ({"fast_period": 9, "slow_period": 9}, "must be shorter"),
        ({"fast_period": 0}, "fast average"),
        ({"slow_period": 501}, "slow_period"),
        ({"interval": "7m"}, "interval"),
        ({"trailing_bps": 0}, "between 10 and 1000 basis points, not 0"),
        ({"trailing_bps": 10_000}, "basis points"),
        ({"activation_price": Decimal(0)}, "activation price must be above zero"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_what_cannot_be_traded_is_refused_with_the_reason(
    world: World, terms: dict[str, Any], says: str
) -> None:
    with pytest.raises(ArmRefused, match=says) as refusal:
        arm(world, **terms)
    assert "DETAIL" not in str(refusal.value)
    assert not Position.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize("value", ["-1200", "0", "NaN"])
def test_stop_distance_below_zero_does_not_even_make_an_order(value: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        StopPolicy(StopKind.DISTANCE, Decimal(value))


def test_margin_must_be_possible(world: World) -> None:
    # Of a symbol that no other test asks for: rules are remembered.
    answer = world.exchange.symbol_rules(SYMBOL)
    assert answer.margin_allowed
    body = {
        "symbols": [
            {
                "symbol": "LUNAUSDT",
                "status": "TRADING",
                "baseAsset": "LUNA",
                "quoteAsset": "USDT",
                "isMarginTradingAllowed": False,
                "orderTypes": ["MARKET"],
                "permissions": [],
                "permissionSets": [["SPOT"]],
                "filters": [
                    {
                        "filterType": "PRICE_FILTER",
                        "minPrice": "0.01",
                        "maxPrice": "1000000",
                        "tickSize": "0.01",
                    },
                    {"filterType": "LOT_SIZE", "minQty": "0.0001", "maxQty": "9000", "stepSize": "0.0001"},
                    {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True},
                ],
            }
        ]
    }
    world.control.fault("http_status", status=200, body=body, path="exchangeInfo")
    with pytest.raises(ArmRefused, match="LUNAUSDT cannot be traded on isolated margin"):
        arm(world, symbol="LUNAUSDT")


@pytest.mark.parametrize("price", ["0", "-1"])
def test_impossible_price_arms_nothing(world: World, price: str) -> None:
    body = {"symbol": SYMBOL, "price": price}
    world.control.fault("http_status", status=200, body=body, path="ticker/price")
    with pytest.raises(ArmRefused, match="Try again"):
        arm(world)
    assert not Position.objects.exists()


def test_silent_exchange_arms_nothing(world: World) -> None:
    world.control.fault("http_status", status=503, path="ticker/price")
    with pytest.raises(ArmRefused, match="did not answer"):
        arm(world)


def test_size_is_judged_at_the_stops_price(world: World) -> None:
    """At the entry it would be worth 5.10, at the stop 4.998: it could not be sold again."""
    with pytest.raises(ArmRefused, match="closed at the stop price 58800"):
        arm(world, capital=Decimal("11.2"))


@pytest.mark.parametrize(
    "state", [PositionState.ARMED, PositionState.ENTERING, PositionState.ACTIVE, PositionState.EXITING]
)
def test_managed_slot_is_not_armed_again(world: World, state: PositionState) -> None:
    factories.core_position(state=state)
    with pytest.raises(ArmRefused, match=f"already {state}"):
        arm(world)


def test_other_side_may_be_armed_too(world: World) -> None:
    arm(world)
    assert arm(world, side=Side.SHORT).slot.side == "short"


def test_slot_is_free_again_after_its_position(world: World) -> None:
    factories.core_position(state=PositionState.CLOSED)
    assert arm(world).pk


CLOSED_ACCOUNTS = [
    pytest.param({"entries_paused": True}, "entries are paused on the account main", id="paused"),
    pytest.param({"active": False}, "the account main is switched off", id="switched off"),
]


@pytest.mark.parametrize(("changes", "says"), CLOSED_ACCOUNTS)
def test_an_account_without_new_entries_arms_nothing(
    world: World, changes: dict[str, bool], says: str
) -> None:
    Account.objects.update(**changes)
    world.account.refresh_from_db()
    with pytest.raises(ArmRefused, match=says):
        arm(world)


@pytest.mark.parametrize(("changes", "says"), CLOSED_ACCOUNTS)
def test_what_was_done_to_the_account_while_the_exchange_was_asked_is_respected(
    world: World, changes: dict[str, bool], says: str
) -> None:
    Account.objects.update(**changes)
    assert (world.account.active, world.account.entries_paused) == (True, False), "as it was read before"
    with pytest.raises(ArmRefused, match=says):
        arm(world)
    assert not Position.objects.exists()


def armed_on(interval: str, symbols: int) -> None:
    slots = [
        Slot(account=factories.account(), venue="isolated_margin", symbol=f"A{number}USDT", side=Side.LONG)
        for number in range(symbols)
    ]
    Slot.objects.bulk_create(slots)
    Position.objects.bulk_create(
        Position(slot=slot, state="armed", capital=1, risk_percent=1, interval=interval) for slot in slots
    )


def test_what_needs_more_streams_than_a_connection_carries_is_refused(world: World) -> None:
    """Prices of each symbol, and candles of each that is armed: 1,022 of 1,024, and then all of them."""
    armed_on("1m", MAX_STREAMS // 2 - 1)
    arm(world)
    with pytest.raises(ArmRefused, match="need 1025 streams, and one connection carries 1024"):
        arm(world, side=Side.SHORT, interval="1h")
    assert arm(world, side=Side.SHORT).state == "armed", "its streams are carried already"


def test_armed_position_can_be_taken_back(world: World) -> None:
    position = arm(world)
    arming.disarm(position=position, reason="changed my mind", at=factories.NOON)
    position.refresh_from_db()
    assert (position.state, position.note) == ("cancelled", "changed my mind")
    assert Event.objects.filter(kind="position.disarmed").count() == 1


@pytest.mark.parametrize("state", [state for state in PositionState if state not in arming.AFTER_DISARMING])
def test_whatever_is_not_armed_cannot_be_disarmed(world: World, state: PositionState) -> None:
    position = factories.core_position(state=state)
    with pytest.raises(DisarmRefused, match=f"is {state}, not armed"):
        arming.disarm(position=position, reason="x", at=factories.NOON)


def test_disarming_what_has_entered_meanwhile_changes_nothing(world: World) -> None:
    position = arm(world)
    Position.objects.filter(pk=position.pk).update(state=PositionState.ENTERING)
    with pytest.raises(DisarmRefused, match="is entering"):
        arming.disarm(position=position, reason="x", at=factories.NOON)
    position.refresh_from_db()
    assert position.state == "entering"
