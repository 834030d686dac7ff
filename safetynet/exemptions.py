"""The owner takes a slot out of the Safety Net for a while, and says why."""

import logging
from datetime import datetime

from django.db import transaction

from safetynet.models import Exemption, GuardedPosition
from trading import execution, journal
from trading.domain.events import EventKind
from trading.domain.lifecycle import GuardState
from trading.queries import Slot

log = logging.getLogger(__name__)


class ExemptionRefused(Exception):
    """The exemption may not be made; the text says why."""


def exempt(*, slot: Slot, until: datetime, reason: str, by: str, at: datetime) -> Exemption:
    """No safety exits in this slot until then. Raises ExemptionRefused without a reason or an end to come.

    A touch of the stop that was not acted on yet is forgotten: the owner has decided otherwise. An exit that
    is under way is not called off.
    """
    if not reason.strip():
        raise ExemptionRefused("an exemption needs a reason")
    if until <= at:
        raise ExemptionRefused(f"the end of the exemption, {until:%Y-%m-%d %H:%M} UTC, is in the past")
    with transaction.atomic():
        execution.lock_slot(slot.pk)
        exemption = Exemption.objects.create(
            slot=slot, until=until, reason=reason.strip()[:255], created_by=by[:150], created_at=at
        )
        guarding = GuardedPosition.objects.filter(slot=slot, state=GuardState.GUARDING)
        guarding.update(touched_price=None, touched_at=None)
        journal.append(EventKind.GUARD_EXEMPTED, exemption, at=at, until=until, reason=reason.strip(), by=by)
    log.info("Safety Net: %s exempted until %s by %s: %s", slot, until.isoformat(), by, reason)
    return exemption


def end_exemption(*, exemption: Exemption, by: str, at: datetime, reason: str = "") -> bool:
    """Protect the slot again at once. False when the exemption had ended already."""
    with transaction.atomic():
        ended = Exemption.objects.filter(pk=exemption.pk, ended_at__isnull=True, until__gt=at).update(
            ended_at=at
        )
        if not ended:
            return False
        exemption.ended_at = at
        journal.append(EventKind.GUARD_EXEMPTION_ENDED, exemption, at=at, by=by, reason=reason or None)
    log.info("Safety Net: exemption of %s ended by %s", exemption.slot, by)
    return True
