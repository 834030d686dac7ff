"""Which market streams one connection carries and what to ask for next. No I/O."""

import json
from collections.abc import Collection
from dataclasses import dataclass

_BATCH = 100
# How long an answer to a request may take, in seconds.
_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    names: frozenset[str]
    sent_s: float


class Subscriptions:
    """Brings a connection from what it carries to what is wanted, in batches.

    A batch that is refused is asked for again name by name, so that one bad name does not silence the rest.
    Times are seconds of any steady clock.
    """

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self._wanted: frozenset[str] = frozenset()
        self._active: set[str] = set()
        self._suspects: set[str] = set()
        self._pending: dict[int, _Request] = {}
        self._last_id = 0
        self._told: int | None = None

    def want(self, names: Collection[str]) -> None:
        self._wanted = frozenset(names)

    @property
    def settled(self) -> bool:
        """Whether everything wanted is carried or refused, and nothing else is."""
        return not self._pending and not self._to_add() and not self._to_drop()

    def newly_settled(self, edition: int) -> bool:
        """Whether it is settled, true once for each edition of what is wanted."""
        if not self.settled or self._told == edition:
            return False
        self._told = edition
        return True

    def next_request(self, now_s: float) -> str | None:
        """The next message to send, as JSON; None when there is nothing to ask for at the moment."""
        if drop := self._to_drop():
            return self._request("UNSUBSCRIBE", sorted(drop)[:_BATCH], now_s)
        add = self._to_add()
        if unsuspected := add - self._suspects:
            return self._request("SUBSCRIBE", sorted(unsuspected)[:_BATCH], now_s)
        return self._request("SUBSCRIBE", sorted(add)[:1], now_s) if add else None

    def answered(self, request_id: object, error: str) -> None:
        """Take in the answer to a request; `error` is empty when it was granted."""
        request = self._pending.pop(request_id, None) if isinstance(request_id, int) else None
        if request is None:
            return
        if request.method == "UNSUBSCRIBE":
            self._active -= request.names
        elif not error:
            self._active |= request.names
        elif len(request.names) > 1:
            self._suspects |= request.names
        else:
            self.refused |= dict.fromkeys(request.names, error)

    def overdue_in(self, now_s: float) -> float | None:
        """Seconds until the oldest unanswered request is overdue; None when there is none."""
        sent = [request.sent_s for request in self._pending.values()]
        return max(0.0, min(sent) + _ANSWER_S - now_s) if sent else None

    def _to_add(self) -> frozenset[str]:
        return self._wanted - self._active - self._busy() - self.refused.keys()

    def _to_drop(self) -> set[str]:
        return self._active - self._wanted - self._busy()

    def _busy(self) -> frozenset[str]:
        return frozenset().union(*(request.names for request in self._pending.values()))

    def _request(self, method: str, names: list[str], now_s: float) -> str:
        self._last_id += 1
        self._pending[self._last_id] = _Request(method, frozenset(names), now_s)
        return json.dumps({"method": method, "params": names, "id": self._last_id})
