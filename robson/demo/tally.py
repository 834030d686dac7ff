"""Whether /metrics, counted by many processes, tells what the database tells."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from django.db.models import Count, QuerySet

from robson.scrape import Scrape
from safetynet.models import PollState
from trading.models import Event, OrderAttempt, OrderIntent
from trading.models.intent import AttemptStatus, Purpose

Counts = Mapping[tuple[str, ...], float]


def lasting_differences(read: Callable[[], str], within_s: float, wait: Callable[[], None]) -> list[str]:
    """What still differs after `within_s` seconds: a scrape and a query are never of the same moment."""
    deadline = time.monotonic() + within_s
    while (found := differences(Scrape(read()))) and time.monotonic() < deadline:
        wait()
    return found


def differences(scrape: Scrape) -> list[str]:
    """Sentences; none if every total is what the database says. Both must have been emptied at one time."""
    exits = OrderAttempt.objects.filter(intent__purpose=Purpose.EXIT, status=AttemptStatus.EXECUTED)
    filled = exits.filter(fills__isnull=False)
    totals = [
        ("robson_events_total", ["kind"], _grouped(Event.objects.all(), "kind")),
        (
            "robson_order_intents_total",
            ["owner", "purpose", "state"],
            _grouped(OrderIntent.objects.exclude(settled_at=None), "owner", "purpose", "state"),
        ),
        ("robson_trigger_to_fill_seconds_count", ["owner"], _grouped(filled, "intent__owner")),
    ]
    found = [_difference(scrape, *total) for total in totals]
    polls = scrape.by("safety_net_polls_total", "outcome")
    ran = sum(count for (outcome,), count in polls.items() if outcome != "busy")
    begun = sum(PollState.objects.values_list("polls", flat=True))
    if ran != begun:
        found.append(f"safety_net_polls_total says {ran:.0f} polls, the database {begun}")
    return [sentence for sentence in found if sentence]


def over_http(url: str) -> str:
    """The text of a running web process."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=10)
        answer.raise_for_status()
        return answer.text


def _grouped(rows: "QuerySet[Any]", *fields: str) -> Counts:
    counted = rows.order_by().values_list(*fields).annotate(Count("id", distinct=True))
    return {tuple(str(value) for value in row[:-1]): float(row[-1]) for row in counted}


def _difference(scrape: Scrape, name: str, labels: list[str], wanted: Counts) -> str:
    told = scrape.by(name, *labels)
    wrong = [
        f"{'/'.join(key)} {told.get(key, 0):.0f} instead of {wanted.get(key, 0):.0f}"
        for key in sorted({*told, *wanted})
        if told.get(key, 0) != wanted.get(key, 0)
    ]
    return f"{name} says " + ", ".join(wrong) if wrong else ""
