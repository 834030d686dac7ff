"""What the owner does in a soak: by hand in the exchange's app, and with Robson's own verbs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from random import Random

from tests.soak.dice import dice, weighted
from trading.domain.types import Side

ZERO = Decimal(0)


class Verb(StrEnum):
    OPEN = "open"
    ADD = "add"
    REDUCE = "reduce"
    CLOSE = "close"
    FLIP = "flip"
    ARM = "arm"
    DISARM = "disarm"
    CLOSE_NOW = "close now"
    EXEMPT = "exempt"
    PAUSE = "pause"
    RESUME = "resume"
    PANIC = "panic"


OFTEN = {
    Verb.OPEN: 22,
    Verb.ADD: 12,
    Verb.REDUCE: 8,
    Verb.CLOSE: 6,
    Verb.FLIP: 6,
    Verb.ARM: 34,
    Verb.DISARM: 3,
    Verb.CLOSE_NOW: 5,
    Verb.EXEMPT: 4,
}


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that the owner does, if it can be done then. `at_ms` since the start of the soak.

    `amount` is quote currency to open with or to arm with, the share of the position to add or to sell, or
    the seconds of an exemption. `stop_percent`, `fast` and `slow` are the terms of an arming.
    """

    at_ms: int
    verb: Verb
    symbol: str = ""
    side: Side = Side.LONG
    amount: Decimal = ZERO
    stop_percent: Decimal = ZERO
    fast: int = 0
    slow: int = 0


def in_pair(seed: int, symbol: str, *, coins: bool) -> Iterator[Deed]:
    """What the owner does in one pair, for ever.

    Where `coins` of his own are the collateral he opens longs only: selling them would be no short, and
    nobody, the ledger included, could tell the two apart.
    """
    chance = dice(seed, f"deeds:{symbol}")
    at_ms = chance.randrange(1_000, 12_000)
    while True:
        deed = _deed(chance, at_ms, symbol)
        yield _without_a_short(deed) if coins else deed
        at_ms += chance.randrange(4_000, 22_000)


def of_account(seed: int) -> Iterator[Deed]:
    """Pauses and panics, each followed by the end of the pause."""
    chance = dice(seed, "deeds:account")
    at_ms = 0
    while True:
        at_ms += chance.randrange(60_000, 150_000)
        yield Deed(at_ms, weighted(chance, {Verb.PAUSE: 1, Verb.PANIC: 1}))
        at_ms += chance.randrange(4_000, 12_000)
        yield Deed(at_ms, Verb.RESUME)


def _without_a_short(deed: Deed) -> Deed:
    if deed.verb is Verb.FLIP:
        return replace(deed, verb=Verb.CLOSE)
    return replace(deed, side=Side.LONG) if deed.verb is Verb.OPEN else deed


def _deed(chance: Random, at_ms: int, symbol: str) -> Deed:
    verb, side = weighted(chance, OFTEN), chance.choice((Side.LONG, Side.SHORT))
    if verb is Verb.ARM:
        fast = chance.randint(2, 6)
        return Deed(
            at_ms,
            verb,
            symbol,
            side,
            amount=Decimal(chance.randrange(200, 2_000)),
            stop_percent=Decimal(chance.randrange(50, 300)) / 100,
            fast=fast,
            slow=fast + chance.randint(2, 8),
        )
    amount: dict[Verb, Callable[[], int]] = {
        Verb.OPEN: lambda: chance.randrange(100, 3_000) * 100,
        Verb.ADD: lambda: chance.randrange(20, 120),
        Verb.REDUCE: lambda: chance.randrange(10, 90),
        Verb.FLIP: lambda: chance.randrange(30, 150),
        Verb.EXEMPT: lambda: chance.randrange(10, 60) * 100,
    }
    return Deed(at_ms, verb, symbol, side, amount=Decimal(amount[verb]()) / 100 if verb in amount else ZERO)
