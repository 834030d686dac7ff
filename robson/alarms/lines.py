"""One channel at work: a message at a time, each in a thread of its own, so that nobody waits for it."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from robson.alarms.channels import Channel, SendError
from robson.alarms.messages import Message
from robson.alarms.models import Telling
from robson.alarms.pace import Pace

log = logging.getLogger(__name__)

# A channel that has not answered by then has failed; its thread is left to itself.
HANGS_S = 30.0
MOST_LEFT_BEHIND = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message; `error` is empty if it went through. It may not have been sent at all."""

    tellings: Sequence[Telling]
    error: str = ""
    sent: bool = True


class _Sending:
    """A message under way."""

    def __init__(self, channel: Channel, message: Message, tellings: Sequence[Telling], now: float) -> None:
        self.tellings = tellings
        self.begun = now
        self.error: str | None = None
        self.thread = threading.Thread(
            target=self._send, args=(channel, message), name=f"alarm-{channel.name}", daemon=True
        )
        self.thread.start()

    def _send(self, channel: Channel, message: Message) -> None:
        try:
            channel.send(message)
            self.error = ""
        except SendError as error:
            self.error = str(error) or "it was not accepted"
        except Exception as error:  # noqa: BLE001  # whatever it is, the channel has failed
            self.error = type(error).__name__
            log.error("channel %s ended by an error nobody expected: %s", channel.shown, type(error).__name__)


@dataclass
class Line:
    """Times are seconds of one monotonic clock. `failing_since` and `error` tell of the last failures."""

    channel: Channel
    pace: Pace = field(default_factory=Pace)
    failing_since: float | None = None
    error: str = ""
    _sending: _Sending | None = None
    _left_behind: list[_Sending] = field(default_factory=list)

    def is_free(self, now: float) -> bool:
        """Whether it may be given a message now."""
        self._left_behind = [one for one in self._left_behind if one.thread.is_alive()]
        return (
            self._sending is None and len(self._left_behind) < MOST_LEFT_BEHIND and now >= self.pace.next_at()
        )

    @property
    def is_busy(self) -> bool:
        return self._sending is not None

    def give(self, message: Message, tellings: Sequence[Telling], now: float) -> None:
        """Begin to send; only to a free line."""
        self.pace = self.pace.gave(now)
        self._sending = _Sending(self.channel, message, tellings, now)

    def outcome(self, now: float) -> Outcome | None:
        """What became of the message under way, once; None while that is open."""
        sending = self._sending
        if sending is None:
            return None
        error = sending.error
        if error is None and now - sending.begun < HANGS_S:
            return None
        if error is None:
            self._left_behind.append(sending)
            error = f"no answer within {HANGS_S:.0f} s"
        self._sending = None
        self._note(error, now)
        return Outcome(sending.tellings, error)

    def _note(self, error: str, now: float) -> None:
        self.pace = self.pace.ended(now, well=not error)
        if error and self.failing_since is None:
            self.failing_since = now
            log.error("channel %s does not take messages: %s", self.channel.shown, error)
        elif not error and self.failing_since is not None:
            self.failing_since = None
            log.warning("channel %s takes messages again", self.channel.shown)
        self.error = error
