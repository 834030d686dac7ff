"""From what is so at a moment to alarms: the states that the owner must hear of. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from robson.alarms.draft import Draft, Links
from robson.alarms.kinds import Kind, Severity
from trading.domain.clocks import age

# Three heartbeats. The poll takes over somewhat later.
CONSUMER_SILENT = timedelta(seconds=6)
FAILED_POLLS = 3
FAILED_EXITS = 3
EXIT_OVERDUE = timedelta(seconds=30)
EXIT_LONG_OVERDUE = timedelta(seconds=90)
# From the touch of a guard's stop to the claim of its exit: a poll that asks, and the next that acts.
UNCLAIMED = timedelta(seconds=8)
MISSING = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class About:
    """Whose position it is about; `name` is like BTCUSDT Long."""

    account: str
    name: str
    links: Links = field(default_factory=Links)


@dataclass(frozen=True, slots=True)
class Unprotected:
    about: About
    because: str


@dataclass(frozen=True, slots=True)
class Exit:
    """A live exit. `panicking`: it has failed so often that its retries are slow."""

    about: About
    since: datetime
    refusals: int
    panicking: bool
    last_error: str


@dataclass(frozen=True, slots=True)
class Poll:
    """The polls of one active account. `holder` ran the last one."""

    account: str
    begun_at: datetime | None
    failures: int
    last_error: str
    holder: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A position of Core's that the exchange does not hold in full."""

    about: About
    since: datetime


@dataclass(frozen=True, slots=True)
class Sight:
    """What is so. `silent`: symbols that trade while their stream says nothing, by the consumer's own word.

    `touched`: guards whose stop is touched and whose exit nobody has claimed. `broker`: why it is away, or
    nothing.
    """

    at: datetime
    poll_late: timedelta
    consumer_beat: datetime | None = None
    silent: tuple[str, ...] = ()
    polls: tuple[Poll, ...] = ()
    exits: tuple[Exit, ...] = ()
    touched: tuple[About, ...] = ()
    unprotected: tuple[Unprotected, ...] = ()
    missing: tuple[Missing, ...] = ()
    broker: str = ""


def alarms_in(sight: Sight) -> list[Draft]:
    """Every alarm that holds at this moment."""
    return [*_consumer(sight), *_polls(sight), *_exits(sight), *_positions(sight), *_broker(sight)]


def _consumer(sight: Sight) -> Iterator[Draft]:
    beat = sight.consumer_beat
    if beat is None or age(beat, sight.at) > CONSUMER_SILENT:
        since = "ever" if beat is None else f"since {_told(beat, sight.at)}"
        text = f"The consumer has given no sign of life {since}. The poll takes over Core's stops."
        yield _system(sight, Kind.CONSUMER_DEAD, Severity.CRITICAL, "consumer", text)
        return
    for symbol in sight.silent:
        text = "Its stream is silent while it trades, or nobody can tell. Prices are asked over REST."
        yield replace(_system(sight, Kind.FEED_STALE, Severity.WARNING, symbol, text), key=f"feed:{symbol}")


def _polls(sight: Sight) -> Iterator[Draft]:
    for poll in sight.polls:
        text = _late(poll, sight)
        if text:
            about = About(poll.account, f"account {poll.account}")
            yield _state(sight, Kind.POLL_LATE, Severity.WARNING, f"poll:{poll.account}", about, text)


def _late(poll: Poll, sight: Sight) -> str:
    """What is wrong with an account's polls, or nothing."""
    if poll.begun_at is None:
        return "No poll has begun yet."
    if age(poll.begun_at, sight.at) > sight.poll_late:
        ran = f", which {poll.holder} ran" if poll.holder else ""
        return f"No poll has begun since the one at {_told(poll.begun_at, sight.at)}{ran}."
    if poll.failures >= FAILED_POLLS:
        return f"{poll.failures} polls in a row have failed: {poll.last_error}"
    return ""


def _exits(sight: Sight) -> Iterator[Draft]:
    for each in sight.exits:
        lasted = age(each.since, sight.at)
        if each.refusals < FAILED_EXITS and lasted <= EXIT_OVERDUE:
            continue
        loud = each.panicking or lasted > EXIT_LONG_OVERDUE
        severity = Severity.CRITICAL if loud else Severity.WARNING
        failed = f"It has failed {each.refusals} times in a row" if each.refusals else "It is not done"
        why = f": {each.last_error}" if each.last_error else "."
        text = f"Its exit is under way since {_told(each.since, sight.at)}. {failed}{why}"
        key = f"exit:{each.about.links.intent_id}"
        yield _state(sight, Kind.EXIT_FAILING, severity, key, each.about, text)
    for about in sight.touched:
        text = "Its stop is touched, and nobody has taken up the exit."
        key = f"exit of guard:{about.links.guard_id}"
        draft = _state(sight, Kind.EXIT_FAILING, Severity.CRITICAL, key, about, text)
        yield replace(draft, after=UNCLAIMED)


def _positions(sight: Sight) -> Iterator[Draft]:
    for one in sight.unprotected:
        text = f"Nobody would close it at its stop: {one.because}."
        key = f"unprotected:{_number(one.about.links)}"
        yield _state(sight, Kind.UNPROTECTED, Severity.CRITICAL, key, one.about, text)
    for gone in sight.missing:
        if age(gone.since, sight.at) > MISSING:
            since = _told(gone.since, sight.at)
            text = f"The exchange holds less of it since {since}, and no trade tells why."
            key = f"missing:{_number(gone.about.links)}"
            yield _state(sight, Kind.RECONCILIATION, Severity.CRITICAL, key, gone.about, text)


def _broker(sight: Sight) -> Iterator[Draft]:
    if sight.broker:
        text = f"Redis does not answer: {sight.broker}"
        yield _system(sight, Kind.BROKER_AWAY, Severity.WARNING, "broker", text)


def _told(at: datetime, now: datetime) -> str:
    ahead = ", by a clock that was set back" if age(at, now) == timedelta.max else ""
    return f"{at:%H:%M:%S} UTC{ahead}"


def _number(links: Links) -> str:
    return f"core {links.position_id}" if links.position_id else f"guard {links.guard_id}"


def _system(sight: Sight, kind: Kind, severity: Severity, subject: str, text: str) -> Draft:
    return _state(sight, kind, severity, subject, About("", subject), text)


def _state(  # noqa: PLR0917  # in the order in which one reads it
    sight: Sight, kind: Kind, severity: Severity, key: str, about: About, text: str
) -> Draft:
    return Draft(
        kind=kind,
        key=key,
        severity=severity,
        subject=about.name,
        text=text,
        at=sight.at,
        lasting=True,
        account=about.account,
        links=about.links,
    )
