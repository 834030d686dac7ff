"""The admin's lists with years of history: how long a page takes, and how many queries."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks import filling
from benchmarks.figures import Figure, Times
from benchmarks.stage import BenchmarkError, Stage
from safetynet.models import PollState
from trading.models import Account, Heartbeat

TARGET_MS = 1_000
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Opened:
    """One way to open one list."""

    name: str
    path: str


def measure(stage: Stage) -> list[Figure]:
    """Every list: first page, filtered, searched, last page. Raises BenchmarkError if one does not open."""
    stage.tell("filling the database")
    positions, events = (10_000, 100_000) if stage.quick else (filling.POSITIONS, filling.EVENTS)
    _accounts()
    filling.fill(positions=positions, events=events)
    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(User.objects.create_superuser("benchmark"))
    found: list[Figure] = []
    ways = list(_ways())
    for number, way in enumerate(ways):
        stage.tell(way.name)
        found.append(_figure(client, way, rounds=3 if stage.quick else ROUNDS))
        stage.advance((number + 1) / len(ways))
    return found


def _accounts() -> None:
    now = timezone.now()
    Heartbeat.objects.create(name="consumer", at=now)
    for name in ("main", "second"):
        account, _ = Account.objects.get_or_create(name=name)
        PollState.objects.get_or_create(account=account, defaults={"last_success_at": now})


def _ways() -> Iterator[Opened]:
    account = Account.objects.values_list("pk", flat=True).get(name="second")
    of_account = f"slot__account__id__exact={account}"
    lists = {
        "positions": ("trading/position", ("state=open", "state=ended", of_account), "C77USDT"),
        "armed symbols": ("trading/position", ("state=armed",), ""),
        "order intents": ("trading/orderintent", ("state__exact=done", of_account), "C77USDT"),
        "fills": ("trading/fill", (of_account,), "C77USDT"),
        "events": (
            "trading/event",
            (
                "about=position",
                "about=account",
                "about=intent&kind=intent.sent",
                of_account,
                "position__id__exact=77",
            ),
            "C77USDT",
        ),
        "guarded positions": ("safetynet/guardedposition", ("state__exact=guarding", of_account), "C77USDT"),
        "exemptions": ("safetynet/exemption", (of_account,), "C77USDT"),
        "task results": ("django_celery_results/taskresult", ("status__exact=SUCCESS",), "trading.reconcile"),
    }
    for name, (path, filters, search) in lists.items():
        page = f"/admin/{path}/"
        yield Opened(name, page)
        yield from (Opened(f"{name}, {query}", f"{page}?{query}") for query in filters)
        if search:
            yield Opened(f"{name}, searched for {search}", f"{page}?q={search}")
            yield Opened(f"{name}, last page", f"{page}?p=200")


def _figure(client: Client, way: Opened, *, rounds: int) -> Figure:
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(way.path)
        queries = len(asked)
    if answer.status_code != 200:
        raise BenchmarkError(f"{way.name}: {answer.status_code} instead of a page")
    times = Times.from_ns(_timed(client, way.path) for _ in range(rounds))
    return Figure(way.name, times.p50, "ms", at_most=TARGET_MS, note=f"{queries} queries, n = {rounds}")


def _timed(client: Client, path: str) -> int:
    started = time.perf_counter_ns()
    client.get(path)
    return time.perf_counter_ns() - started
