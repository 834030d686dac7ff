"""Layer 1 of the coordination: the database says whose a position is."""

import logging
from dataclasses import dataclass

from django.db import Error as DatabaseError
from django.db import transaction

from safetynet.domain import Ownership
from trading import queries
from trading.domain.types import Side, Venue
from trading.queries import Account

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnershipAnswer:
    """`position_id` names Core's position when the slot is OWNED."""

    ownership: Ownership
    position_id: int | None = None


def is_core_managed(
    account: Account, symbol: str, side: Side, venue: Venue = Venue.ISOLATED_MARGIN
) -> OwnershipAnswer:
    """Whether Core owns this slot (Entering, Active or Exiting). A failed query is UNKNOWN, and logged."""
    try:
        # A savepoint, if the caller is in a transaction: the failure must not break what is around it.
        with transaction.atomic():
            position = queries.find_active_by_symbol_and_side(account, symbol, side, venue)
    except DatabaseError:
        log.exception("Safety Net: cannot tell whether Core manages %s %s", symbol, side.capitalize())
        return OwnershipAnswer(Ownership.UNKNOWN)
    if position is None:
        return OwnershipAnswer(Ownership.NOT_OWNED)
    return OwnershipAnswer(Ownership.OWNED, position.pk)
