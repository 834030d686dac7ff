import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.client_ids import ClientOrderId, OrderPurpose, client_order_id, parse_client_id

TAGS = st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True)
PURPOSES = st.sampled_from(OrderPurpose)


@given(tag=TAGS, purpose=PURPOSES, intent=st.integers(1, 10**15 - 1), attempt=st.integers(1, 10**6 - 1))
def test_an_id_says_all_that_it_was_made_of(
    tag: str, purpose: OrderPurpose, intent: int, attempt: int
) -> None:
    text = client_order_id(intent, attempt, purpose=purpose, tag=tag)
    parsed = parse_client_id(text)
    assert parsed == ClientOrderId(tag, purpose, intent, attempt)
    assert str(parsed) == text


@given(tag=TAGS, purpose=PURPOSES, intent=st.integers(1, 10**15 - 1), attempt=st.integers(1, 10**6 - 1))
def test_binance_accepts_its_characters_and_its_length(
    tag: str, purpose: OrderPurpose, intent: int, attempt: int
) -> None:
    text = client_order_id(intent, attempt, purpose=purpose, tag=tag)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,36}", text)


def test_fifteen_digits_of_intent_and_six_of_attempt_fill_the_length_exactly() -> None:
    assert len(client_order_id(10**15 - 1, 10**6 - 1, purpose="exit", tag="a" * 8)) == 36
    with pytest.raises(ValueError, match="36 characters"):
        client_order_id(10**15, 10**6 - 1, purpose="exit", tag="a" * 8)


@given(text=st.text(max_size=40) | st.from_regex(r"rbs-[A-Za-z0-9]{0,9}-[a-z]?[0-9]{0,20}-[0-9]{0,8}"))
def test_whatever_is_recognised_is_spelled_exactly_as_we_would_spell_it(text: str) -> None:
    parsed = parse_client_id(text)
    assert parsed is None or str(parsed) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rbs",
        "web_3f9a",
        "rbs-main-x17",
        "rbs-main-x017-1",
        "rbs-main-x17-0",
        "rbs-main-q17-1",
        "RBS-main-x17-1",
        "rbs-main-x17-1\n",
        "rbs-main-x\u0661\u0667-1",
        "rbs-waytoolong-x17-1",
        "rbs-main-x" + "9" * 40 + "-1",
    ],
)
def test_strangers_are_not_taken_for_ours(text: str) -> None:
    assert parse_client_id(text) is None


def test_the_same_attempt_always_has_the_same_name_and_another_never() -> None:
    names = {
        client_order_id(intent, attempt, purpose=purpose, tag=tag)
        for intent in (1, 11, 111)
        for attempt in (1, 11)
        for purpose in OrderPurpose
        for tag in ("a", "a1")
    }
    assert len(names) == 3 * 2 * 3 * 2
    assert client_order_id(17, 1, purpose="exit", tag="main") == "rbs-main-x17-1"


@pytest.mark.parametrize("tag", ["", "ninechars", "a-b", "a_b", "é", "a\n"])
def test_a_tag_that_would_break_a_signature_or_the_spelling_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        client_order_id(1, 1, purpose="entry", tag=tag)


def test_numbers_below_one_an_unknown_purpose_and_too_long_a_name_are_refused() -> None:
    for intent, attempt in ((0, 1), (1, 0), (-1, 1)):
        with pytest.raises(ValueError, match="count from 1"):
            client_order_id(intent, attempt, purpose="exit", tag="main")
    with pytest.raises(ValueError, match="not a valid OrderPurpose"):
        client_order_id(1, 1, purpose="hedge", tag="main")
    with pytest.raises(ValueError, match="36 characters"):
        client_order_id(10**30, 1, purpose="exit", tag="main")
