"""What the poll makes of Core's positions, for the event log: at first sight, and when the answer changes.

Never once per poll: what was said last is remembered beside the poll's lease.
"""

import logging
from dataclasses import dataclass
from typing import Any

from django.db import Error as DatabaseError

from safetynet import exclusions
from safetynet.acting import Work
from safetynet.domain import Situation
from trading import journal, queries
from trading.domain.events import EventKind
from trading.domain.types import SlotKey

log = logging.getLogger(__name__)

NOBODY = "nobody can say"
_NAMED = {True: "named", False: "not named", None: "cannot say"}


@dataclass(frozen=True, slots=True)
class _About:
    """What an event is about, without the rows themselves."""

    slot_id: int
    position_id: int | None

    def event_links(self) -> dict[str, Any]:
        return {"slot_id": self.slot_id, "position_id": self.position_id}


def record(work: Work) -> dict[str, str]:
    """Append an event for each answer that is not the last one, and return all answers, by slot.

    Costs nothing while nothing changes. The poll has done its job by now and does not fail for a record that
    cannot be written: it is logged, and the next poll tries again.
    """
    answers = {str(situation.slot): _answer(situation) for situation in work.kept_off}
    news = [one for one in work.kept_off if work.turn.recognised.get(str(one.slot)) != _answer(one)]
    try:
        _append_all(work, news)
    except DatabaseError:
        log.exception("Safety Net: whose %s positions are is not recorded", len(news))
        return work.turn.recognised
    return answers


def _append_all(work: Work, news: list[Situation]) -> None:
    named = exclusions.members(work.account.name) if news else None
    for situation in news:
        _append(work, situation, named)


def _answer(situation: Situation) -> str:
    return f"core {situation.core.position_id}" if situation.core else NOBODY


def _append(work: Work, situation: Situation, named: frozenset[SlotKey] | None) -> None:
    key, core = situation.slot, situation.core
    slot = queries.slot_for(work.account, key.symbol, key.side, key.venue)
    journal.append(
        EventKind.POSITION_RECOGNISED if core else EventKind.GUARD_LEFT_ALONE,
        _About(slot.pk, core.position_id if core else None),
        at=work.desk.clock(),
        held=situation.held,
        price=situation.price,
        core_state=core.state if core else None,
        core_quantity=core.quantity if core else None,
        exclusion_set=_NAMED[None if named is None else key in named],
    )
