"""What the live page shows at a moment, in a fixed number of queries. The exchange is not asked."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from robson import health, protection
from robson.desk import notices
from robson.desk.cards import Card, Ended, Tone, card, ended
from robson.desk.notices import Notice
from robson.holdings import holdings
from trading.models import Account

RECENT = timedelta(hours=24)
MOST_ENDED = 50
MOST_NOTICES = 8
EXCHANGE_SILENT_S = 60
NAMES = {
    "database": "Database",
    "broker": "Broker",
    "consumer": "Consumer, drives Core's stops",
    "feed": "Price streams",
    "exchange": "Exchange",
    "poll": "Poll, guards what you open yourself",
}


@dataclass(frozen=True, slots=True)
class Part:
    """Something that must work. `detail` says what is wrong with it."""

    name: str
    works: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The answer to 'is everything all right?'. `troubled`: something is wrong, though all are protected."""

    tone: Tone
    troubled: bool
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class Danger:
    """Positions that nobody would close at their stop, all for the same reason."""

    because: str
    advice: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All positions of all accounts, the loudest first, and whether what protects them works."""

    at: datetime
    headline: Headline
    cards: tuple[Card, ...]
    parts: tuple[Part, ...]
    notices: tuple[Notice, ...]
    ended: tuple[Ended, ...]
    paused: tuple[str, ...]

    @property
    def unprotected(self) -> tuple[Card, ...]:
        return tuple(one for one in self.cards if one.tone is Tone.LOUD)

    @property
    def dangers(self) -> tuple[Danger, ...]:
        """They are said once, however many positions they are about."""
        found: dict[tuple[str, str], list[Card]] = {}
        for one in self.unprotected:
            found.setdefault((one.because, one.advice), []).append(one)
        return tuple(Danger(because, advice, tuple(cards)) for (because, advice), cards in found.items())


def snapshot(now: datetime) -> Snapshot:
    """As the database tells it. Raises DatabaseError."""
    accounts = list(Account.objects.all())
    every = holdings(accounts, now=now, history=MOST_ENDED)
    live = [card(one) for one in every if one.closed_at is None]
    live.sort(key=lambda one: (one.tone is not Tone.LOUD, not one.exposed))
    parts = _parts(now)
    return Snapshot(
        at=now,
        headline=_headline(live, parts),
        cards=tuple(live),
        parts=parts,
        notices=notices.recent(MOST_NOTICES),
        ended=tuple(ended(one) for one in every if one.closed_at and now - one.closed_at <= RECENT),
        paused=tuple(account.name for account in accounts if account.entries_paused),
    )


def _parts(now: datetime) -> tuple[Part, ...]:
    found = [_part(part.name, part.ready, part.detail) for part in health.parts(now)]
    return (*found, _exchange(now))


def _part(name: str, works: bool, detail: str) -> Part:
    kind, _, account = name.partition(":")
    label = NAMES.get(kind, kind) + (f" ({account})" if account else "")
    return Part(label, works, "works" if works else detail)


def _exchange(now: datetime) -> Part:
    """Judged by what the consumer and the polls have heard: a viewer costs the exchange no question."""
    known = protection.guards(now)
    heard = [price.silent_s for price in known.prices.values()]
    heard += [age for age in known.poll_age_s.values() if age is not None]
    heard = [age for age in heard if math.isfinite(age)]
    if not heard:
        return _part("exchange", False, "nothing heard from it yet")
    return _part("exchange", min(heard) <= EXCHANGE_SILENT_S, f"nothing heard for {min(heard):.0f} s")


def _headline(cards: Iterable[Card], parts: Iterable[Part]) -> Headline:
    exposed = [one for one in cards if one.exposed]
    bare = sum(one.tone is Tone.LOUD for one in exposed)
    exempt = sum(one.tone is Tone.EXEMPT for one in exposed)
    broken = ", ".join(part.name.partition(",")[0] for part in parts if not part.works)
    counted = _counted(len(exposed) - bare - exempt, exempt) if exposed else "No position is open."
    detail = f"{counted} Not working: {broken}.".strip() if broken else counted
    if bare:
        return Headline(Tone.LOUD, True, f"{_positions(bare)} WITHOUT protection", detail)
    if broken:
        text = "Protected, but something does not work" if exposed else "Something does not work"
        return Headline(Tone.CALM, True, text, detail)
    return Headline(Tone.CALM, False, _all_well(len(exposed), exempt), detail)


def _all_well(exposed: int, exempt: int) -> str:
    if not exposed:
        return "Nothing is at stake"
    if exempt == exposed:
        return "Nothing is protected: you have exempted it all"
    return "Everything is protected" + (f", but for {exempt} that you exempted" if exempt else "")


def _counted(protected: int, exempt: int) -> str:
    told = [f"{_positions(protected)} protected"] if protected else []
    told += [f"{_positions(exempt)} exempt: protected by nobody, as you wished"] if exempt else []
    return f"{'; '.join(told)}." if told else ""


def _positions(number: int) -> str:
    return "1 position" if number == 1 else f"{number} positions"
