"""What a viewer is sent: first everything, then what is different from what was sent last."""

import json
from collections.abc import Mapping
from typing import Any

from robson.desk.picture import Picture


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def change(before: Picture | None, now: Picture, about: str = "") -> dict[str, Any]:
    """What is new, empty if nothing is. With `about`, the page is about that position and shows no list."""
    told: dict[str, Any] = {}
    if before is None or (before.title, before.mood) != (now.title, now.mood):
        told |= {"title": now.title, "mood": now.mood}
    if before is None or before.unprotected != now.unprotected:
        told["unprotected"] = now.unprotected
    told |= _one(before, now, about) if about else _list(before, now)
    return told | {"at": now.at.isoformat()} if told else told


def _list(before: Picture | None, now: Picture) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if pieces := _different(before.pieces if before else {}, now.pieces):
        told["pieces"] = pieces
    if rows := _different(before.rows if before else {}, now.rows):
        told["rows"] = rows
    if before is None or list(before.rows) != list(now.rows):
        told["order"] = list(now.rows)
    return told


def _one(before: Picture | None, now: Picture, key: str) -> dict[str, Any]:
    alarm = now.pieces["alarm"]
    told: dict[str, Any] = {}
    if before is None or before.pieces["alarm"] != alarm:
        told["pieces"] = {"alarm": alarm}
    facts, mark = now.facts.get(key), now.marks.get(key)
    if before is None or (before.facts.get(key), before.marks.get(key)) != (facts, mark):
        # Without facts it is not open any more.
        told |= {"facts": facts, "mark": mark}
    return told


def _different(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    return {name: html for name, html in now.items() if before.get(name) != html}
