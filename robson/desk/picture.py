"""A snapshot as pieces of a page. The same pieces are the page at first, and later what has changed of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from robson.desk.cards import Card, Tone
from robson.desk.snapshot import Snapshot
from trading.domain.rounding import to_wire

# More than are open at once, so that a card that has not changed is not drawn again.
MOST_DRAWN = 512


@dataclass(frozen=True, slots=True)
class Picture:
    """`pieces` by the id of the element that they fill, `rows` and `facts` by the key of their position.

    `marks` are what a chart has to know of a live position.
    """

    at: datetime
    title: str
    mood: str
    unprotected: tuple[str, ...]
    pieces: Mapping[str, SafeString]
    rows: Mapping[str, SafeString]
    facts: Mapping[str, SafeString]
    marks: Mapping[str, Mapping[str, Any]]


def picture(snapshot: Snapshot) -> Picture:
    """Draw a snapshot."""
    return Picture(
        at=snapshot.at,
        title=_title(snapshot),
        mood=_mood(snapshot),
        unprotected=tuple(f"{one.symbol} {one.side} ({one.account})" for one in snapshot.unprotected),
        pieces={
            "summary": _draw("summary", headline=snapshot.headline, dangers=snapshot.dangers),
            "alarm": _draw("alarm", headline=snapshot.headline),
            "paused": _draw("paused", paused=snapshot.paused),
            "empty": _draw("empty", cards=snapshot.cards),
            "health": _draw("health", parts=snapshot.parts),
            "notices": _draw("notices", notices=snapshot.notices),
            "ended": _draw("ended", ended=snapshot.ended),
        },
        rows={one.key: row(one) for one in snapshot.cards},
        facts={one.key: facts(one) for one in snapshot.cards},
        marks={one.key: _mark(one) for one in snapshot.cards},
    )


@lru_cache(MOST_DRAWN)
def row(card: Card) -> SafeString:
    """Its row in the list."""
    return _draw("row", card=card)


@lru_cache(MOST_DRAWN)
def facts(card: Card) -> SafeString:
    """What its own page says of it."""
    return _draw("facts", card=card)


def _draw(name: str, **context: object) -> SafeString:
    # A template escapes what it is given: its result is HTML.
    return mark_safe(render_to_string(f"desk/pieces/{name}.html", context).strip())  # noqa: S308


def _mood(snapshot: Snapshot) -> str:
    """Which icon stands in the browser's tab."""
    if snapshot.headline.tone is Tone.LOUD:
        return "loud"
    return "troubled" if snapshot.headline.troubled else "calm"


def _title(snapshot: Snapshot) -> str:
    sign = {"loud": "\N{WARNING SIGN} ", "troubled": "! ", "calm": ""}[_mood(snapshot)]
    return f"{sign}{snapshot.headline.text} \N{MIDDLE DOT} Robson"


def _mark(card: Card) -> dict[str, Any]:
    """Numbers as text, the time in ms. `turn` differs when more than the price has."""
    turn = (card.state, card.stop, card.quantity, card.entry)
    return {
        "price": None if card.price is None else to_wire(card.price),
        "at_ms": None if card.price_at is None else int(card.price_at.timestamp() * 1000),
        "turn": "/".join("" if value is None else str(value) for value in turn),
    }
