import re

from trading.domain.events import CorePositionClosed, CorePositionOpened, EventKind
from trading.domain.types import Side, SlotKey, Venue


def test_event_kinds_are_dotted_and_unique() -> None:
    assert len({kind.value for kind in EventKind}) == len(EventKind)
    for kind in EventKind:
        assert re.fullmatch(r"(position|guard|intent|account|schedule|exchange)\.[a-z_]+", kind)


def test_opening_and_closing_name_the_same_slot() -> None:
    opened = CorePositionOpened("7", "BTCUSDT", Side.LONG, "123456", "main", Venue.ISOLATED_MARGIN)
    closed = CorePositionClosed("7", "BTCUSDT", Side.LONG, "main", Venue.ISOLATED_MARGIN)
    assert opened.slot == closed.slot == SlotKey("main", Venue.ISOLATED_MARGIN, "BTCUSDT", Side.LONG)
