"""The broker as Celery's producers see it, and its deliveries: late, several times, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kombu.exceptions import OperationalError

from tests.model.clock import LogicalClock


@dataclass(frozen=True, slots=True)
class Message:
    """A task for one row, to be delivered from `eta` on and before it expires."""

    task: str
    row_id: int
    eta: datetime
    expires: datetime | None


@dataclass
class Broker:
    """Keeps what was sent. `away`: nothing can be sent, as when Redis is gone."""

    clock: LogicalClock
    away: bool = False
    messages: list[Message] = field(default_factory=list)

    def send_task(
        self,
        name: str,
        args: Sequence[int] = (),
        kwargs: Any = None,
        *,
        countdown: float = 0,
        eta: datetime | None = None,
        expires: float | datetime | None = None,
        **_: Any,
    ) -> None:
        """What `Celery.send_task` does with a task, as far as its delivery goes. Raises OperationalError."""
        if self.away:
            raise OperationalError("the broker is away")
        now = self.clock.now()
        if isinstance(expires, int | float):
            expires = now + timedelta(seconds=expires)
        self.messages.append(Message(name, args[0], eta or now + timedelta(seconds=countdown or 0), expires))

    def due(self) -> list[Message]:
        """What may be delivered now, oldest first. What has expired is dropped."""
        now = self.clock.now()
        self.messages = [m for m in self.messages if m.expires is None or m.expires > now]
        return [message for message in self.messages if message.eta <= now]

    def acknowledge(self, message: Message) -> None:
        """It was worked on, and is not delivered again."""
        if message in self.messages:
            self.messages.remove(message)
