"""What the owner does to positions and accounts, each after a question."""

from collections.abc import Sequence

from django.db import Error as DatabaseError

from trading import arming, operations
from trading.admin.asking import Answers, NotPossible, Verb
from trading.domain.lifecycle import PositionState
from trading.explain import EXPECTED, explain
from trading.models import Account, OrderIntent, Position


def disarm(position: Position, answers: Answers, by: str) -> str:
    """Raises DisarmRefused."""
    operations.disarm(position=position, reason=answers["reason"], by=by)
    return f"{position} is disarmed."


def close(position: Position, answers: Answers, by: str) -> str:
    """Raises NotPossible."""
    intent = operations.close_now(position=position, reason=answers["reason"], by=by)
    return f"{position}: {_executed([intent])}"


def panic(account: Account, answers: Answers, by: str) -> str:
    """Close everything of Core's on one account."""
    intents = operations.panic(account=account, reason=answers["reason"], by=by)
    told = _executed(intents) if intents else "nothing was open."
    return f"{account}: entries are paused, nothing is armed; {told}"


def pause(account: Account, answers: Answers, by: str) -> str:
    """Raises NotPossible if they are paused already."""
    if not operations.pause_entries(account=account, paused=True, reason=answers["reason"], by=by):
        raise NotPossible(f"entries of {account} are paused already")
    return f"{account}: no new entries. Stops go on working."


def resume(account: Account, answers: Answers, by: str) -> str:
    """Raises NotPossible if they are not paused."""
    if not operations.pause_entries(account=account, paused=False, reason=answers["reason"], by=by):
        raise NotPossible(f"entries of {account} are not paused")
    return f"{account}: what is armed may enter again."


DISARM = Verb(
    "disarm",
    "Disarm",
    "Nothing is bought or sold.",
    "Disarm",
    disarm,
    fits=lambda position: position.state in arming.AFTER_DISARMING,
)
CLOSE = Verb(
    "close",
    "Close now",
    "Each position is closed at market, at once.",
    "Close at market",
    close,
    fits=lambda position: position.state == PositionState.ACTIVE,
    is_loud=True,
)
PANIC = Verb(
    "panic",
    "Panic",
    "All of Core's open positions are closed at market, what is armed is disarmed, and entries are paused. "
    "Positions opened by hand are not touched.",
    "Close everything",
    panic,
    is_loud=True,
)
PAUSE = Verb(
    "pause",
    "Pause entries",
    "What is armed stays armed and does not enter. Stops and the Safety Net go on working.",
    "Pause entries",
    pause,
    fits=lambda account: not account.entries_paused,
)
RESUME = Verb(
    "resume",
    "Resume entries",
    "The next crossover of what is armed opens a position again.",
    "Resume entries",
    resume,
    fits=lambda account: account.entries_paused,
)


def _executed(intents: Sequence[OrderIntent]) -> str:
    handed = operations.hand_over(intents)
    left = [_execute_here(intent) for intent in intents if intent.pk in handed.ours]
    told = f"{len(intents)} exits are under way." if len(intents) != 1 else "the exit is under way."
    return f"{told} {' '.join(left)}".strip()


def _execute_here(intent: OrderIntent) -> str:
    try:
        operations.execute_here(intent)
    except DatabaseError:
        raise
    except EXPECTED as error:
        return f"The broker is away, and this process could not execute it: {explain(error)}"
    return "The broker is away: it was executed by the web process."
