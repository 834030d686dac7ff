"""Facts for whoever listens. The publisher neither knows them nor fails with them."""

from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

from trading.domain.events import CorePositionClosed, CorePositionOpened

Fact = CorePositionOpened | CorePositionClosed
FactType = TypeVar("FactType", CorePositionOpened, CorePositionClosed)

_listeners: dict[type[Fact], list[Callable[..., None]]] = defaultdict(list)


def subscribe(kind: type[FactType], listener: Callable[[FactType], None]) -> None:
    """Call `listener` with every fact of this kind that this process publishes; subscribing twice is once."""
    if listener not in _listeners[kind]:
        _listeners[kind].append(listener)


def publish(fact: Fact) -> None:
    """Deliver `fact` once the surrounding transaction is committed; a listener's error is only logged."""
    for listener in _listeners[type(fact)]:
        transaction.on_commit(_delivery(listener, fact), robust=True)


def _delivery(listener: Callable[..., None], fact: Fact) -> Callable[[], None]:
    # Not a partial: Django names a callback that failed by its __qualname__, and fails itself without one.
    def deliver() -> None:
        listener(fact)

    return deliver
