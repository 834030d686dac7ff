"""What must never happen to a position, defined so that each violation is a fact of the ledger.

*Position* of an account in a pair: what the base wallet would hold after paying its debt, less the collateral
that the owner brought in. Fees and interest are in it, because they are in the wallet.

*Dust*: the smallest quantity that can be traded at the fill's price (lot step, minimum quantity and minimum
notional together). A position within dust counts as *flat*: nobody could close it, and a short exit that
rounds up to the next lot ends there.

*Episode*: from leaving flat until being flat again or changing sign. Orders that executed against the
position during an episode are its *exits*.

*Violations* are about executed orders that came through the API. What the owner does by hand is never one,
and a refused order did no harm. Each names the order that did it:

- `oversold`: a SELL took the position from long or flat to short beyond dust, without being the opening of a
  short (a borrowing order sent while flat). More was sold than was there: the rest came out of the
  collateral or out of a new loan.
- `exit_beyond_position`: a BUY took the position from short to long beyond dust: more was bought than owed.
- `double_exit`: an order closed a position that others had already closed. Either it declared itself an exit
  (AUTO_REPAY), found the pair flat and moved it beyond dust; or it went through zero beyond dust in an
  episode in which another order had already executed as an exit.

An order that does two of these is reported twice. *Leftover debt*, a flat pair that still owes, is reported
beside the violations and is not one.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from simulator.ledger import ZERO, ceil_to
from simulator.symbols import SymbolInfo

OPENING_EFFECTS = ("MARGIN_BUY", "AUTO_BORROW_REPAY")


@dataclass(slots=True)
class Episode:
    """The running episode of one pair: its number and the order ids that executed as exits in it."""

    number: int = 0
    exits: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Execution:
    """One order's effect on a position: base currency before and after, dust at the price it filled at."""

    order_id: int
    side: str
    side_effect: str
    by_hand: bool
    before: Decimal
    after: Decimal
    dust: Decimal


@dataclass(frozen=True, slots=True)
class Violation:
    """A fact that should not exist. Quantities in base currency."""

    kind: str
    api_key: str
    symbol: str
    order_id: int
    client_order_id: str
    before: Decimal
    after: Decimal
    time_ms: int


def dust(info: SymbolInfo, price: Decimal) -> Decimal:
    """The smallest tradable quantity at this price (quote currency), in base currency."""
    by_notional = ceil_to(info.min_notional / price, info.step) if price > 0 else ZERO
    return max(info.min_qty, info.step, by_notional)


def sign(position: Decimal, dust_quantity: Decimal) -> int:
    """1 long, -1 short, 0 flat within dust."""
    if abs(position) <= dust_quantity:
        return 0
    return 1 if position > 0 else -1


def violations(execution: Execution, episode: Episode) -> list[str]:
    """The kinds of violation in this execution, judged against the episode as it was before it."""
    before, after = sign(execution.before, execution.dust), sign(execution.after, execution.dust)
    ended_beyond = after == (-1 if execution.side == "SELL" else 1)
    if execution.by_hand or not ended_beyond or before == after:
        return []
    kinds = []
    opening = before == 0 and execution.side_effect in OPENING_EFFECTS
    if execution.side == "SELL" and not opening:
        kinds.append("oversold")
    if execution.side == "BUY" and before == -1:
        kinds.append("exit_beyond_position")
    others = [order_id for order_id in episode.exits if order_id != execution.order_id]
    if (before == 0 and execution.side_effect == "AUTO_REPAY") or (before != 0 and others):
        kinds.append("double_exit")
    return kinds


def advance(episode: Episode, execution: Execution) -> None:
    """Carry the episode over this execution: note exits, begin a new one when flat or through zero."""
    before, after = sign(execution.before, execution.dust), sign(execution.after, execution.dust)
    reduces = before == (1 if execution.side == "SELL" else -1)
    if reduces and execution.order_id not in episode.exits:
        episode.exits.append(execution.order_id)
    if after not in (0, before):
        episode.number += 1
    if after in (0, -before) or before == 0:
        episode.exits.clear()
