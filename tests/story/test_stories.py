"""Stories of positions that were really entered, found by a poll and exited, on the simulator."""

from datetime import UTC, datetime

from robson.story import Act, Story, story_of_guard, story_of_position
from safetynet import services as safety
from safetynet.models import GuardedPosition
from tests.trading.world import World
from trading.models import Fill, OrderAttempt, Position


def told(story: Story) -> str:
    return "\n".join(line.text for line in story.lines)


def test_the_story_of_a_core_position_names_who_knew_decided_sent_and_answered(world: World) -> None:
    position = world.enter()
    safety.poll(world.account, world.desk)
    world.settle(world.request_exit(position, reason="trailing stop", by="anna"))

    story = story_of_position(Position.objects.get(pk=position.pk), datetime.now(UTC))

    assert [(line.who, str(line.act)) for line in story.lines] == [
        ("Core", "decided"),  # crossover
        ("Core", "decided"),  # order claimed
        ("Core", "sent"),
        ("Exchange, by its clock", "answered"),  # its trade
        ("Exchange", "answered"),
        ("Core", "known"),  # settled
        ("Core", "known"),  # open, with a stop
        ("Safety Net", "known"),  # found, and left to Core
        ("Operator anna", "decided"),  # exit
        ("Core", "decided"),
        ("Core", "sent"),
        ("Exchange, by its clock", "answered"),
        ("Exchange", "answered"),
        ("Core", "known"),
        ("Core", "known"),  # closed
    ]
    assert "Open: 0.00757242 at 60000.01, stop 58800.0098" in told(story)
    assert "Sent, attempt 1: SELL 0.00757 BTCUSDT at market, signed " in told(story)


def test_every_order_and_trade_of_the_exchange_can_be_looked_up_by_its_id(world: World) -> None:
    world.settle(world.request_exit(world.enter()))
    story = story_of_position(Position.objects.get(), datetime.now(UTC))
    ids = {pair for line in story.lines for pair in line.ids}
    for attempt in OrderAttempt.objects.all():
        assert {("client order", attempt.client_order_id), ("order", attempt.order_id)} <= ids
    assert {("trade", str(fill.trade_id)) for fill in Fill.objects.all()} <= ids


def test_the_verdict_on_a_core_position_is_no_with_what_each_layer_said(world: World) -> None:
    position = world.enter()
    safety.poll(world.account, world.desk)
    world.settle(world.request_exit(position))

    verdict = story_of_position(Position.objects.get(), datetime.now(UTC)).verdict

    assert (verdict.answer, verdict.fine) == ("No.", True)
    evidence = "\n".join(verdict.evidence)
    for piece in (
        f"Layer 1, database: Core has owned the slot {position.slot.key} from ",
        "it found 0.00757242 on the exchange and kept off: position",
        "Layer 2, exclusion set in Redis: at",
        f"Layer 3, forensic link: {position.binance_position_id}",
        "no order intent of the Safety Net exists for the slot",
    ):
        assert piece in evidence


def test_the_story_of_a_guard_tells_what_both_layers_said_before_its_exit(world: World) -> None:
    world.control.trade("BUY", "0.02", symbol="BTCUSDT")
    safety.poll(world.account, world.desk)
    world.control.price("BTCUSDT", "50000")
    (guard_id,) = safety.poll(world.account, world.desk).exits_requested
    safety.exit_guard(guard_id, world.desk)

    story = story_of_guard(GuardedPosition.objects.get(), datetime.now(UTC))

    assert story.verdict.answer.startswith("Yes, and it was")
    assert "Redis said: Core does not own the slot. The database: none of it is Core's" in told(story)
    assert [line.who for line in story.lines if line.act is Act.SENT] == ["Safety Net"]
    assert "Closed: safety stop, 0.01998 BTC at 50000" in told(story)
