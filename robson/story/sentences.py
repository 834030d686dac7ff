"""What each event says. A `|` begins a part that is left out when the event does not tell its values."""

import re
from collections.abc import Mapping
from decimal import Decimal
from string import Formatter

from robson.story.line import Act
from trading.domain.events import EventKind
from trading.domain.rounding import people

_LONG = re.compile(r"-?\d+\.\d{9,}")

K = EventKind
SENTENCES: Mapping[EventKind, tuple[Act, str]] = {
    K.POSITION_ARMED: (
        Act.DECIDED,
        "Armed|: waits for its averages {averages} to cross on {interval}|, capital {capital}"
        "|, risk {risk_percent} %|, stop {stop}",
    ),
    K.POSITION_DISARMED: (Act.DECIDED, "Taken back|: {reason}"),
    K.POSITION_ENTERING: (
        Act.DECIDED,
        "Crossover| at {price}|: fast average {fast}, slow {slow}|. Entering: from now on the slot is Core's",
    ),
    K.POSITION_ACTIVATED: (Act.KNOWN, "Open|: {quantity} at {entry}|, stop {stop}|, entry order {order_id}"),
    K.POSITION_STOP_RAISED: (
        Act.DECIDED,
        "Stop moved| from {before}| to {stop}|, the price having reached {extreme}",
    ),
    K.POSITION_EXIT_MARKED: (Act.DECIDED, "To be exited as soon as its entry is filled|: {reason}"),
    K.POSITION_EXIT_REQUESTED: (Act.DECIDED, "Exit|: {reason}|, price {price}|, stop {stop}"),
    K.POSITION_CLOSED: (
        Act.KNOWN,
        "Closed|: {reason}|, {quantity}| at {price}|, result {pnl} after fees|, by the orders {orders}",
    ),
    K.POSITION_REDUCED: (
        Act.KNOWN,
        "Reduced outside Robson| from {before}| to {quantity}| at {price}|, by the orders {orders}",
    ),
    K.POSITION_RECOGNISED: (
        Act.KNOWN,
        "A poll found {held} on the exchange| at {price}| and left it to Core, whose it is by the database"
        "| ({core_state}, {core_quantity})|; in the exclusion set: {exclusion_set}",
    ),
    K.POSITION_MISSING: (Act.KNOWN, "The exchange holds| {missing}| less than it should; looking again"),
    K.POSITION_FOUND: (Act.KNOWN, "The exchange holds all of it again"),
    K.POSITION_CANCELLED: (Act.KNOWN, "Cancelled|: {reason}|: {error}"),
    K.POSITION_FAILED: (Act.KNOWN, "Failed|: {error}|, entry {entry}"),
    K.GUARD_OPENED: (
        Act.DECIDED,
        "Guarding| {quantity}| opened by hand| at {entry}|, safety stop {stop}|, price {price}"
        "|; beside Core's position {core_position_id}",
    ),
    K.GUARD_RECOMPUTED: (
        Act.DECIDED,
        "Changed by hand|: {quantity_before} is {quantity} now|, entry {entry_before} is {entry}"
        "|, safety stop {stop_before} is {stop}",
    ),
    K.GUARD_RELEASED: (Act.DECIDED, "Released without an order|: {reason}| (position {core_position_id})"),
    K.GUARD_EXIT_REQUESTED: (
        Act.DECIDED,
        "Exit|: {reason}| {stop}| touched at {price}|. Redis said: {redis}"
        "|. The database: none of it is Core's"
        "|, it is the surplus beside position {beside}",
    ),
    K.GUARD_CLOSED: (Act.KNOWN, "Closed|: {reason}|, {quantity} {asset}| at {price}"),
    K.GUARD_LEFT_ALONE: (
        Act.KNOWN,
        "A poll found {held} on the exchange| at {price}| and left it alone, since the database could not say"
        " whose it is|; in the exclusion set: {exclusion_set}",
    ),
    K.GUARD_EXEMPTED: (Act.DECIDED, "No safety exit| until {until}|: {reason}"),
    K.GUARD_EXEMPTION_ENDED: (Act.DECIDED, "The exemption is over: the Safety Net protects again"),
    K.INTENT_CLAIMED: (
        Act.DECIDED,
        "Order claimed|: {order_side} {quantity} {symbol} at market| ({reason})|, triggered at {trigger}",
    ),
    K.INTENT_SENT: (
        Act.SENT,
        "Sent|, attempt {attempt}|: {order_side} {sent_quantity} {symbol} at market|, signed {signed_at}",
    ),
    K.INTENT_FILLED: (
        Act.ANSWERED,
        "Filled|, attempt {attempt}|: {quantity}| for {quote}|, average {average}| ({status})",
    ),
    K.INTENT_PARTIALLY_FILLED: (
        Act.ANSWERED,
        "Filled in part|, attempt {attempt}|: {quantity}| for {quote}| ({status})",
    ),
    K.INTENT_UNKNOWN: (
        Act.ANSWERED,
        "No clear answer| to attempt {attempt}|: {error}|; it is looked up before anything else is sent",
    ),
    K.INTENT_REFUSED: (Act.ANSWERED, "Not executed|: {last_error}"),
    K.INTENT_RETRIED: (Act.DECIDED, "Another attempt|: {left} is left|, {error}|, due {due}"),
    K.INTENT_SETTLED: (Act.KNOWN, "Order settled|: {executed_quantity} executed| for {executed_quote}"),
    K.INTENT_DUST: (
        Act.KNOWN,
        "Order settled|: {executed_quantity} executed|; what is left is too little to trade",
    ),
    K.ACCOUNT_PAUSED: (Act.DECIDED, "Entries paused| on {account}|: {reason}"),
    K.ACCOUNT_RESUMED: (Act.DECIDED, "Entries allowed again| on {account}|: {reason}"),
    K.ACCOUNT_ADDED: (Act.DECIDED, "Account| {account}| added|: {reason}"),
    K.ACCOUNT_CHANGED: (
        Act.DECIDED,
        "Settings changed| of {account}|, capital {capital}|, risk {risk_percent} %"
        "|, safety stop {safety_stop_percent} %|: {reason}",
    ),
    K.ACCOUNT_SWITCHED_OFF: (Act.DECIDED, "Switched off|: {account}| is not watched any more|: {reason}"),
    K.ACCOUNT_SWITCHED_ON: (Act.DECIDED, "Switched on|: {account}| is watched again|: {reason}"),
    K.SCHEDULE_CHANGED: (Act.DECIDED, "Schedule changed|: {task}|, {reason}"),
    K.EXCHANGE_BANNED: (
        Act.ANSWERED,
        "The exchange wants no more calls| on {account}| until {until}|: {error}",
    ),
}


def say(kind: str, values: Mapping[str, object]) -> tuple[Act, str]:
    """The sentence of an event. A kind that is not known here is said as it is, with its data."""
    there = {name: _text(value) for name, value in values.items() if value not in (None, "")}
    if kind not in SENTENCES:
        return Act.KNOWN, f"{kind}: {', '.join(f'{name} {value}' for name, value in there.items())}"
    act, sentence = SENTENCES[EventKind(kind)]
    parts = (part for part in sentence.split("|") if _fields(part) <= there.keys())
    return act, "".join(part.format_map(there) for part in parts)


def _fields(part: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(part) if name}


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = str(value)
    # An average of prices has as many digits as a division gives it.
    return people(Decimal(text)) if _LONG.fullmatch(text) else text
