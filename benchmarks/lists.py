"""The admin's lists with years of history: how long a page takes, and how many queries."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks import filling
from benchmarks.figures import Figure, Times
from benchmarks.stage import BenchmarkError, Stage
from safetynet.models import PollState
from trading.admin.readonly import MOST_COUNTED
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
        "positions": (
            "trading/position",
            ("state=open", "state=armed", "state=ended", of_account),
            "C77USDT",
        ),
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
        yield Opened(f"{name}, searched for {search}", f"{page}?q={search}")
        yield Opened(f"{name}, last page", f"{page}?p={_last_page(path)}")


def _last_page(path: str) -> int:
    return MOST_COUNTED // admin.site.get_model_admin(apps.get_model(path.replace("/", "."))).list_per_page


def _figure(client: Client, way: Opened, *, rounds: int) -> Figure:
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(way.path)
        queries = len(asked)
    if answer.status_code != 200:
        raise BenchmarkError(f"{way.name}: {answer.status_code} instead of a page")
    timed = [_timed(client, way.path) for _ in range(rounds)]
    taken, computed = (Times.from_ns(column).p50 for column in zip(*timed, strict=True))
    note = f"{queries} queries, computing {computed:.0f} ms, n = {rounds}"
    return Figure(way.name, taken, "ms", at_most=TARGET_MS, note=note)


def _timed(client: Client, path: str) -> tuple[int, int]:
    """Nanoseconds by the clock, and of this process's processor time."""
    started, computing = time.perf_counter_ns(), time.process_time_ns()
    client.get(path)
    return time.perf_counter_ns() - started, time.process_time_ns() - computing
