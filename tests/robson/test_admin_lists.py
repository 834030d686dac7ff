"""Lists of years of history: the same questions however many rows, and an index for the page that opens."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks.filling import fill
from tests import factories

pytestmark = pytest.mark.django_db

TABLES = (
    "trading_position",
    "trading_orderintent",
    "trading_fill",
    "trading_event",
    "safetynet_guardedposition",
    "safetynet_exemption",
)
MOST_QUERIES = 12


@pytest.fixture(autouse=True)
def two_accounts() -> None:
    factories.everything_works(factories.account(), factories.account("second"))


def asked(client: Client, page: str) -> list[str]:
    """What the database is asked for the first page of a list."""
    with CaptureQueriesContext(connection) as found:
        answer = client.get(reverse(f"admin:{page}_changelist"))
    assert answer.status_code == 200
    return [entry["sql"] for entry in found.captured_queries]


def numbers_asked(client: Client) -> dict[str, int]:
    pages = (*TABLES, "django_celery_results_taskresult")
    return {page: len(asked(client, page)) for page in pages}


def test_every_list_asks_the_same_with_few_rows_and_with_many(admin_client: Client) -> None:
    with transaction.atomic():
        fill(positions=3, guards=3, events=3, live=1)
        few = numbers_asked(admin_client)
        transaction.set_rollback(True)
    fill(positions=500, guards=500, events=2_000, live=100)
    assert numbers_asked(admin_client) == few
    assert max(few.values()) <= MOST_QUERIES, few


def nodes(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """Kind of each node of a plan, and the table it reads."""
    inner = [node for child in plan.get("Plans", []) for node in nodes(child)]
    return [(plan["Node Type"], plan.get("Relation Name", "")), *inner]


def test_the_page_that_opens_is_read_by_an_index_and_not_sorted(admin_client: Client) -> None:
    fill(positions=3_000, guards=3_000, events=9_000)
    for table in TABLES:
        found = asked(admin_client, table)
        (page,) = [sql for sql in found if sql.startswith(f'SELECT "{table}"."id"') and "LIMIT " in sql]
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {page}")
            plan = nodes(cursor.fetchone()[0][0]["Plan"])
        assert ("Seq Scan", table) not in plan, f"{table}: {plan}"
        assert not [kind for kind, _ in plan if "Sort" in kind], f"{table}: {plan}"
