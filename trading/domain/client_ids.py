"""Client order ids: the names under which our own orders can be found again.

A name is a function of installation, purpose, intent and attempt and of nothing else, above all not of the
time: whoever knows the intent can look the order up. It is no lock, for Binance keeps it unique among open
orders only.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "rbs"
MAX_LENGTH = 36

_TAG = re.compile(r"[A-Za-z0-9]{1,8}")
_ID = re.compile(rf"{PREFIX}-([A-Za-z0-9]{{1,8}})-([exs])([1-9][0-9]*)-([1-9][0-9]*)")


class OrderPurpose(StrEnum):
    """What an order of ours is for."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"


_LETTERS = {OrderPurpose.ENTRY: "e", OrderPurpose.EXIT: "x", OrderPurpose.STOP: "s"}
_PURPOSES = {letter: purpose for purpose, letter in _LETTERS.items()}


@dataclass(frozen=True, slots=True)
class ClientOrderId:
    """What a client order id of ours says. Intents and attempts count from 1."""

    tag: str
    purpose: OrderPurpose
    intent_id: int
    attempt: int

    def __str__(self) -> str:
        return client_order_id(self.intent_id, self.attempt, purpose=self.purpose, tag=self.tag)


def client_order_id(intent_id: int, attempt: int, *, purpose: str, tag: str) -> str:
    """The name of one attempt of one intent, such as `rbs-a1b2c3-x17-1`.

    `tag` (1 to 8 letters and digits) tells installations apart that share an account. Intents of up to 15
    digits and attempts of up to 6 always fit. Raises ValueError for an unknown purpose, a bad tag, numbers
    below 1, or a name longer than the 36 characters Binance takes.
    """
    if not _TAG.fullmatch(tag):
        raise ValueError(f"an installation's tag has 1 to 8 letters and digits, not {tag!r}")
    if intent_id < 1 or attempt < 1:
        raise ValueError(f"intents and attempts count from 1, not {intent_id} and {attempt}")
    text = f"{PREFIX}-{tag}-{_LETTERS[OrderPurpose(purpose)]}{intent_id}-{attempt}"
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a client order id has at most {MAX_LENGTH} characters: {text}")
    return text


def parse_client_id(text: str) -> ClientOrderId | None:
    """What a client order id says, or None if it is not one of ours. Compare `tag`: it may be a sibling's."""
    match = _ID.fullmatch(text)
    if match is None or len(text) > MAX_LENGTH:
        return None
    tag, letter, intent_id, attempt = match.groups()
    return ClientOrderId(tag, _PURPOSES[letter], int(intent_id), int(attempt))
