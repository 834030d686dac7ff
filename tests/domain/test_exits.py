"""How much an exit may trade: exhaustively by example, and by properties that nothing may break."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.factories import symbol_rules
from trading.domain.exits import ExitPlan, Verdict, plan_exit, resend_is_harmless
from trading.domain.types import AssetBalance, MarginPair, Side

FEE = Decimal("0.001")
PRICE = Decimal(60_000)
RULES = symbol_rules()
STEP = RULES.lot_step


def pair(free: str = "0", locked: str = "0", borrowed: str = "0", interest: str = "0") -> MarginPair:
    none = Decimal(0)
    base = AssetBalance("BTC", Decimal(free), Decimal(locked), Decimal(borrowed), Decimal(interest))
    return MarginPair("BTCUSDT", base, AssetBalance("USDT", Decimal(1000), none, none, none))


def plan(
    side: Side, remaining: str, holding: MarginPair, *, whole: str = "0", price: Decimal = PRICE, **more: Any
) -> ExitPlan:
    return plan_exit(
        side, Decimal(remaining), holding, RULES, price=price, fee_rate=FEE, whole=Decimal(whole), **more
    )


def paying(holding: MarginPair, free: str | Decimal, locked: str | Decimal = "0") -> MarginPair:
    """The same pair with so much of the quote currency, free and in orders of the owner's."""
    quote = replace(holding.quote, free=Decimal(free), locked=Decimal(locked))
    return replace(holding, quote=quote)


@pytest.mark.parametrize(
    ("remaining", "holding", "verdict", "quantity"),
    [
        ("0.00999", pair("0.00999"), Verdict.SEND, "0.00999"),
        # Commission in base currency leaves a fraction of a lot: it stays.
        ("0.009990009", pair("0.009990009"), Verdict.SEND, "0.00999"),
        # Somebody else's coins lie beside it.
        ("0.01", pair("1.5"), Verdict.SEND, "0.01"),
        # The owner sold a part by hand.
        ("0.01", pair("0.004"), Verdict.SEND, "0.004"),
        # A resting order of the owner's holds a part.
        ("0.01", pair("0.004", locked="0.006"), Verdict.SEND, "0.004"),
        ("0.01", pair("0.00001", locked="0.00999"), Verdict.LOCKED, "0"),
        ("0.01", pair("0", locked="0.01"), Verdict.LOCKED, "0"),
        # What is locked would be dust even when it is free.
        ("0.00005", pair("0", locked="0.00005"), Verdict.DUST, "0"),
        ("0.01", pair("0"), Verdict.FLAT, "0"),
        ("0.000009", pair("0.5"), Verdict.FLAT, "0"),
        ("0", pair("0.5"), Verdict.FLAT, "0"),
        ("-0.01", pair("0.5"), Verdict.FLAT, "0"),
        # 4.98 of 5 quote currency.
        ("0.00008", pair("0.00008"), Verdict.DUST, "0"),
        ("0.00009", pair("0.00009"), Verdict.SEND, "0.00009"),
    ],
)
def test_long_sells_its_own_part_of_what_is_free(
    remaining: str, holding: MarginPair, verdict: Verdict, quantity: str
) -> None:
    planned = plan(Side.LONG, remaining, holding)
    assert (planned.verdict, planned.quantity) == (verdict, Decimal(quantity))


@pytest.mark.parametrize(
    ("remaining", "holding", "verdict", "quantity"),
    [
        # 0.01 / 0.999 rounded up to the lot.
        ("0.01", pair(borrowed="0.01"), Verdict.SEND, "0.01002"),
        ("0.01", pair(borrowed="0.01", interest="0.000004"), Verdict.SEND, "0.01002"),
        # Interest of three lots is bought back too.
        ("0.01", pair(borrowed="0.01", interest="0.00003"), Verdict.SEND, "0.01005"),
        # The owner is short beside it, by hand.
        ("0.01", pair(borrowed="0.05", interest="0.00001"), Verdict.SEND, "0.01002"),
        # The owner bought a part back by hand.
        ("0.01", pair(borrowed="0.004"), Verdict.SEND, "0.00401"),
        ("0.01", pair(), Verdict.FLAT, "0"),
        ("0.01", pair("0.5"), Verdict.FLAT, "0"),
        ("0.01", pair(borrowed="0.00005"), Verdict.DUST, "0"),
        ("0", pair(borrowed="0.5"), Verdict.FLAT, "0"),
    ],
)
def test_short_buys_its_own_part_of_the_debt_with_interest_and_fee(
    remaining: str, holding: MarginPair, verdict: Verdict, quantity: str
) -> None:
    planned = plan(Side.SHORT, remaining, holding)
    assert (planned.verdict, planned.quantity) == (verdict, Decimal(quantity))


@pytest.mark.parametrize(
    ("free", "locked", "verdict", "quantity"),
    [
        # 0.01002 at 60,000 and 0.5 % above it: 604.206.
        ("604.21", "0", Verdict.SEND, "0.01002"),
        # One lot less could be paid and would stay owed as dust: the rest is to be an order too.
        ("604.20", "0", Verdict.SEND, "0.00993"),
        ("300", "700", Verdict.SEND, "0.00497"),
        # An order of the owner's holds what it takes, and what is free buys less than 5 of quote currency.
        ("5", "700", Verdict.LOCKED, "0"),
        ("0", "700", Verdict.LOCKED, "0"),
        # Nothing that could become free: the exchange is to tell.
        ("5", "0", Verdict.SEND, "0.01002"),
        ("0", "0", Verdict.SEND, "0.01002"),
    ],
)
def test_short_buys_no_more_than_the_free_quote_pays_for(
    free: str, locked: str, verdict: Verdict, quantity: str
) -> None:
    holding = paying(pair(borrowed="0.01"), free, locked)
    planned = plan(Side.SHORT, "0.01", holding, within_quote=True)
    assert (planned.verdict, planned.quantity, planned.left) == (verdict, Decimal(quantity), Decimal("0.01"))
    assert plan(Side.SHORT, "0.01", holding).quantity == Decimal("0.01002")


def test_a_purchase_that_can_just_be_paid_does_not_wait_for_what_is_locked() -> None:
    """0.00009 cost 5.40; half a per cent more is not there, and one lot less would be below the minimum."""
    planned = plan(Side.SHORT, "0.00008", paying(pair(borrowed="0.00008"), "5.41", "700"), within_quote=True)
    assert (planned.verdict, planned.quantity) == (Verdict.SEND, Decimal("0.00009"))


def test_interest_that_an_earlier_part_has_paid_is_still_recognised() -> None:
    """0.009 of 0.01 is bought back; 0.00003 of it went into interest, so that more is owed than remains."""
    planned = plan(Side.SHORT, "0.001", pair(borrowed="0.00103"), whole="0.01")
    assert planned.left == Decimal("0.00103")


def test_large_safety_exit_never_takes_a_small_stranger_for_interest() -> None:
    planned = plan(Side.SHORT, "1", pair(borrowed="1.005"))
    assert planned.left == Decimal(1)


@pytest.mark.parametrize("side", list(Side))
def test_one_order_carries_no_more_than_the_exchange_takes(side: Side) -> None:
    holding = pair("250") if side is Side.LONG else pair(borrowed="250")
    planned = plan(side, "250", holding)
    assert (planned.verdict, planned.quantity) == (Verdict.SEND, Decimal(100))
    assert planned.left == Decimal(250)


@pytest.mark.parametrize(
    ("side", "remaining", "holding", "harmless"),
    [
        (Side.LONG, "0.01", pair("0.01"), True),
        (Side.LONG, "0.0099954", pair("0.0099954"), True),
        (Side.LONG, "0.01", pair("0.5"), False),
        # Not all of it is there any more: something was executed, and has to be found first.
        (Side.LONG, "0.01", pair("0"), False),
        (Side.LONG, "0.01", pair("0.005"), False),
        (Side.SHORT, "0.01", pair(borrowed="0.01"), False),
    ],
)
def test_only_a_long_that_is_whole_and_alone_may_be_sent_twice(
    side: Side, remaining: str, holding: MarginPair, harmless: bool
) -> None:
    assert resend_is_harmless(side, Decimal(remaining), holding, RULES) is harmless


AMOUNTS = st.integers(0, 10**9).map(lambda units: Decimal(units).scaleb(-8))
PAIRS = st.builds(
    lambda free, locked, borrowed, interest: pair(str(free), str(locked), str(borrowed), str(interest)),
    AMOUNTS,
    AMOUNTS,
    AMOUNTS,
    AMOUNTS.map(lambda amount: amount / 1000),
)
PRICES = st.integers(1, 10_000_000).map(lambda cents: Decimal(cents) / 100)


@given(AMOUNTS, PAIRS, PRICES)
def test_long_never_sells_more_than_its_part_nor_than_is_free(
    remaining: Decimal, holding: MarginPair, price: Decimal
) -> None:
    planned = plan_exit(Side.LONG, remaining, holding, RULES, price=price, fee_rate=FEE)
    assert 0 <= planned.quantity <= min(remaining, holding.base.free)
    assert planned.quantity % STEP == 0
    if planned.verdict is Verdict.SEND:
        assert planned.quantity * price >= RULES.min_notional
        assert planned.quantity >= RULES.min_quantity
    else:
        assert planned.quantity == 0


@given(AMOUNTS, PAIRS, PRICES)
def test_short_never_buys_more_than_the_debt_with_its_fee_and_one_lot(
    remaining: Decimal, holding: MarginPair, price: Decimal
) -> None:
    planned = plan_exit(Side.SHORT, remaining, holding, RULES, price=price, fee_rate=FEE)
    debt = max(-holding.base.net, Decimal(0))
    assert planned.quantity * (1 - FEE) <= debt + STEP
    # Beyond its own part, only interest and what rounds to a lot.
    assert planned.quantity * (1 - FEE) <= max(remaining, Decimal(0)) + holding.base.interest + 2 * STEP
    assert planned.quantity % STEP == 0


@given(AMOUNTS, PAIRS, PRICES, AMOUNTS, AMOUNTS)
def test_short_within_its_quote_is_the_same_purchase_or_a_smaller_one_that_can_be_paid(
    remaining: Decimal, holding: MarginPair, price: Decimal, free: Decimal, locked: Decimal
) -> None:
    holding = paying(holding, free * 1000, locked * 1000)
    freely, within = (
        plan_exit(Side.SHORT, remaining, holding, RULES, price=price, fee_rate=FEE, within_quote=within_quote)
        for within_quote in (False, True)
    )
    assert within.left == freely.left
    if within.verdict is Verdict.LOCKED:
        assert freely.verdict is Verdict.SEND
        assert freely.quantity * price > holding.quote.free
        assert holding.quote.locked > 0
    elif within != freely:
        assert within.verdict is Verdict.SEND
        assert within.quantity < freely.quantity
        assert within.quantity * price < holding.quote.free
        # The rest is an order too, unless the whole is too little for two.
        rest = freely.quantity - within.quantity
        too_little = 3 * (RULES.min_notional + STEP * price)
        assert rest * price >= RULES.min_notional or freely.quantity * price < too_little
        assert within.quantity * price >= RULES.min_notional
        assert within.quantity % STEP == 0


@given(AMOUNTS, PRICES.filter(lambda price: price > 1000))
def test_short_that_is_alone_owes_nothing_after_its_orders(quantity: Decimal, price: Decimal) -> None:
    """However many orders the exchange's largest quantity makes of it, dust apart."""
    owed, remaining = quantity, quantity
    for _ in range(3):
        planned = plan_exit(
            Side.SHORT, remaining, pair(borrowed=str(owed)), RULES, price=price, fee_rate=FEE, whole=quantity
        )
        if planned.verdict is not Verdict.SEND:
            break
        bought = planned.quantity * (1 - FEE)
        owed, remaining = max(owed - bought, Decimal(0)), remaining - bought
    assert owed * price < RULES.min_notional * 2


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_locked_is_only_said_when_waiting_can_help(
    remaining: Decimal, free: Decimal, locked: Decimal
) -> None:
    holding = pair(str(free), str(locked))
    planned = plan_exit(Side.LONG, remaining, holding, RULES, price=PRICE, fee_rate=FEE)
    if planned.verdict is Verdict.LOCKED:
        unlocked = replace(holding, base=replace(holding.base, free=free + locked, locked=Decimal(0)))
        again = plan_exit(Side.LONG, remaining, unlocked, RULES, price=PRICE, fee_rate=FEE)
        assert again.verdict is Verdict.SEND
