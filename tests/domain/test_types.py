import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.types import OrderSide, Side, SlotKey, Venue

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)


@given(key=st.builds(SlotKey, NAMES, st.sampled_from(Venue), NAMES, st.sampled_from(Side)))
def test_a_slot_has_one_spelling_and_it_can_be_read_back(key: SlotKey) -> None:
    assert SlotKey.parse(str(key)) == key


def test_the_spelling_of_a_slot() -> None:
    assert (
        str(SlotKey("main", Venue.ISOLATED_MARGIN, "BTCUSDT", Side.LONG))
        == "main:isolated_margin:BTCUSDT:long"
    )


@pytest.mark.parametrize(
    "text", ["", "main:isolated_margin:BTCUSDT", "main:isolated_margin:BTCUSDT:LONG", "a:b:c:d:e"]
)
def test_what_is_no_slot_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        SlotKey.parse(text)


def test_a_long_is_entered_by_buying_and_left_by_selling() -> None:
    assert (Side.LONG.entry_order, Side.LONG.exit_order) == (OrderSide.BUY, OrderSide.SELL)
    assert (Side.SHORT.entry_order, Side.SHORT.exit_order) == (OrderSide.SELL, OrderSide.BUY)
