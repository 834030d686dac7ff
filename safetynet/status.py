"""What the Safety Net is doing, for the command line and the pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from safetynet.models import Exemption, GuardedPosition, PollState
from safetynet.observing import in_force
from trading import queries
from trading.domain.lifecycle import LIVE_GUARD_STATES
from trading.domain.types import SlotKey
from trading.queries import Account, CoreHolding


@dataclass(frozen=True, slots=True)
class Status:
    """One account. `skipped` is what Core owns; `poll` is None before the first poll."""

    account: Account
    guards: list[GuardedPosition]
    skipped: Mapping[SlotKey, CoreHolding]
    exemptions: list[Exemption]
    poll: PollState | None

    def exemption_of(self, guard: GuardedPosition) -> Exemption | None:
        """The exemption that a guarded position's slot is under, if any."""
        return next((e for e in self.exemptions if e.slot_id == guard.slot_id), None)

    def poll_age_s(self, now: datetime) -> float | None:
        """Seconds since a poll last did its whole job; None if none ever has."""
        if self.poll is None or self.poll.last_success_at is None:
            return None
        return (now - self.poll.last_success_at).total_seconds()


def status(account: Account, now: datetime) -> Status:
    """What is guarded, skipped and exempted in one account, and how its polls have been going."""
    guards = GuardedPosition.objects.select_related("slot__account").filter(slot__account=account)
    exemptions = Exemption.objects.select_related("slot__account").filter(
        in_force(now), slot__account=account
    )
    return Status(
        account=account,
        guards=list(guards.filter(state__in=LIVE_GUARD_STATES).order_by("slot__symbol", "slot__side")),
        skipped=queries.core_holdings(account),
        exemptions=list(exemptions),
        poll=PollState.objects.filter(account=account).first(),
    )
