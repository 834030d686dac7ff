"""The schedule in the admin: what guards money keeps running, whatever is clicked."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client, RequestFactory
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks
from django_celery_results.models import TaskResult

from robson.schedule import PROTECTIVE
from trading.domain.events import EventKind
from trading.models import Event

pytestmark = pytest.mark.django_db


def task(name: str = "safetynet.poll_all", every_s: int = 20) -> PeriodicTask:
    interval, _ = IntervalSchedule.objects.get_or_create(every=every_s, period="seconds")
    return PeriodicTask.objects.create(
        name=f"test {name}", task=name, interval=interval, expire_seconds=every_s
    )


def page(name: str) -> str:
    return reverse(f"admin:django_celery_beat_periodictask_{name}")


def do(client: Client, verb: str, row: PeriodicTask, **answers: object) -> str:
    said: Any = client.post(f"{page(verb)}?ids={row.pk}", {"reason": "try", **answers}, follow=True)
    row.refresh_from_db()
    return " ".join(str(message) for message in said.context["messages"])


@pytest.mark.parametrize("name", PROTECTIVE)
def test_what_guards_money_is_not_switched_off(admin_client: Client, name: str) -> None:
    row = task(name)
    assert "guards money" in do(admin_client, "switch_off", row)
    assert row.enabled
    assert not Event.objects.exists()


def test_the_tasks_that_guard_money_are_those_of_the_code() -> None:
    from robson.celery import app

    app.loader.import_default_modules()
    assert set(PROTECTIVE) <= set(app.tasks)


@pytest.mark.parametrize("every_s", [4, 21, 3600])
def test_an_interval_out_of_bounds_is_refused_with_the_reason(admin_client: Client, every_s: int) -> None:
    row = task()
    assert "between 5 and 20" in do(admin_client, "interval", row, every_s=every_s)
    assert (row.interval.every, row.expire_seconds) == (20, 20)
    assert not Event.objects.exists()


def test_an_interval_within_bounds_is_taken_and_recorded_and_beat_learns_of_it(admin_client: Client) -> None:
    row, other = task(), task("trading.other")
    before = PeriodicTasks.last_change()
    assert "every 10 s" in do(admin_client, "interval", row, every_s=10)
    assert (row.interval.every, row.interval.period, row.expire_seconds) == (10, "seconds", 10)
    other.refresh_from_db()
    assert other.interval.every == 20
    assert PeriodicTasks.last_change() > before
    event = Event.objects.get(kind=EventKind.SCHEDULE_CHANGED)
    assert event.data == {
        "task": row.name, "by": "admin", "reason": "try", "interval": "every 20 seconds to every 10 seconds",
    }  # fmt: skip


def test_others_are_switched_off_and_on_with_a_reason(admin_client: Client) -> None:
    row = task("trading.prune_events")
    do(admin_client, "switch_off", row)
    assert not row.enabled
    do(admin_client, "switch_on", row)
    assert row.enabled
    told = list(Event.objects.filter(kind=EventKind.SCHEDULE_CHANGED).values_list("data__enabled", flat=True))
    assert sorted(told) == [False, True]


def test_one_that_guards_money_and_is_off_can_be_switched_on(admin_client: Client) -> None:
    row = task()
    PeriodicTask.objects.update(enabled=False)
    do(admin_client, "switch_on", row)
    assert row.enabled


@pytest.mark.parametrize("model", [PeriodicTask, TaskResult])
def test_rows_are_neither_added_edited_nor_deleted(model: type, rf: RequestFactory, admin_user: User) -> None:
    request = rf.get("/")
    request.user = admin_user
    found = admin.site._registry[model]
    assert not found.has_add_permission(request)
    assert not found.has_change_permission(request)
    assert not found.has_delete_permission(request)
    assert "delete_selected" not in found.get_actions(request)


def test_intervals_that_tasks_share_are_not_edited_at_all() -> None:
    assert IntervalSchedule not in admin.site._registry


def test_the_lists_name_who_guards_money_and_what_became_of_tasks(admin_client: Client) -> None:
    row = task()
    TaskResult.objects.create(task_id="1", task_name="trading.reconcile", status="FAILURE", result="no route")
    assert row.name in admin_client.get(page("changelist")).content.decode()
    text = admin_client.get(reverse("admin:django_celery_results_taskresult_changelist")).content.decode()
    assert "no route" in text


def test_a_reader_changes_no_schedule(client: Client) -> None:
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_periodictask"))
    client.force_login(reader)
    row = task()
    assert client.get(f"{page('interval')}?ids={row.pk}").status_code == 403


def test_the_page_of_what_guards_money_offers_its_interval_and_no_switch(admin_client: Client) -> None:
    row = task()
    text = admin_client.get(
        reverse("admin:django_celery_beat_periodictask_change", args=[row.pk])
    ).content.decode()
    assert f"{page('interval')}?ids={row.pk}" in text
    assert page("switch_off") not in text
    assert 'name="_save"' not in text
