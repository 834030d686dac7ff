"""The periodic tasks and what became of them: read, and changed through a question within bounds."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat.models import PeriodicTask
from django_celery_results.models import TaskResult

from robson import schedule
from trading.admin.asking import Answers, Asking, Verb
from trading.admin.columns import label, moment
from trading.admin.filters import TimeFilter
from trading.admin.forms import ReasonForm
from trading.admin.readonly import ReadOnlyAdmin

admin.site.unregister([PeriodicTask, TaskResult])


class IntervalForm(ReasonForm):
    """How often from now on."""

    every_s = forms.IntegerField(min_value=1, label="Every", help_text="Seconds.")

    def __init__(self, tasks: Sequence[PeriodicTask], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bounds = [schedule.PROTECTIVE[task.task] for task in tasks if task.task in schedule.PROTECTIVE]
        if bounds:
            least, most = max(one.least_s for one in bounds), min(one.most_s for one in bounds)
            self.fields["every_s"].help_text = f"Seconds, from {least} to {most}: {bounds[0].why}."


def set_interval(task: PeriodicTask, answers: Answers, by: str) -> str:
    """Raises NotPossible."""
    schedule.set_interval(task=task, every_s=answers["every_s"], reason=answers["reason"], by=by)
    return f"{task.name} runs every {answers['every_s']} s."


def switch_off(task: PeriodicTask, answers: Answers, by: str) -> str:
    """Raises NotPossible for one that guards money."""
    schedule.switch(task=task, enabled=False, reason=answers["reason"], by=by)
    return f"{task.name} is switched off."


def switch_on(task: PeriodicTask, answers: Answers, by: str) -> str:
    """Raises NotPossible if it is on."""
    schedule.switch(task=task, enabled=True, reason=answers["reason"], by=by)
    return f"{task.name} is switched on."


INTERVAL = Verb(
    "interval",
    "Set the interval",
    "Beat takes it over within seconds. Poll, sweep and reconciliation have bounds: alarms count on them.",
    "Set",
    set_interval,
    fits=lambda task: task.task in schedule.PROTECTIVE,
    form=IntervalForm,
)
OFF = Verb(
    "switch_off",
    "Switch off",
    "Poll, sweep and reconciliation guard money and stay on. Others can be switched off.",
    "Switch off",
    switch_off,
    fits=lambda task: task.enabled and task.task not in schedule.PROTECTIVE,
)
ON = Verb(
    "switch_on",
    "Switch on",
    "It runs from now on, as often as it says.",
    "Switch on",
    switch_on,
    fits=lambda task: not task.enabled,
)


@admin.register(PeriodicTask)
class Schedule(Asking, ReadOnlyAdmin):
    """Rows come from the code: none is added, edited or deleted here."""

    list_display = ("name", "guards_money", "switched", "scheduler", "last_run", "total_run_count", "queue")
    list_filter = ("enabled",)
    fields = (
        "name", "task", "description", "guards_money", "switched", "scheduler", "expire_seconds", "queue",
        "last_run", "total_run_count",
    )  # fmt: skip
    readonly_fields = ("guards_money", "switched", "scheduler", "last_run")
    ordering = ("name",)
    verbs = (INTERVAL, OFF, ON)
    operate_permission = "django_celery_beat.change_periodictask"
    last_run = moment("last_run_at", "last run (UTC)")

    @admin.display(description="guards money", empty_value="")
    def guards_money(self, task: PeriodicTask) -> str:
        return "yes" if task.task in schedule.PROTECTIVE else ""

    @label("switched", ordering="enabled")
    def switched(self, task: PeriodicTask) -> str:
        return "on" if task.enabled else "off"

    def list_title(self, _request: HttpRequest) -> str:
        return "Schedule"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("interval", "crontab", "solar", "clocked")


@admin.register(TaskResult)
class Results(ReadOnlyAdmin):
    """What tasks left behind."""

    list_display = ("task_name", "status", "started", "done", "worker", "result")
    list_display_links = ("task_name",)
    list_filter = ("status", ("date_done", TimeFilter))
    list_filter_submit = True
    search_fields = ("=task_name", "=task_id")
    search_help_text = "A task's name or id, in full"
    sortable_by = ("done",)
    fields = (
        "task_id", "task_name", "periodic_task_name", "status", "worker", "task_args", "task_kwargs",
        "result", "created", "started", "done", "traceback",
    )  # fmt: skip
    readonly_fields = ("created", "started", "done")
    created = moment("date_created", "created (UTC)")
    started = moment("date_started", "started (UTC)")
    done = moment("date_done", "done (UTC)")

    def list_title(self, _request: HttpRequest) -> str:
        return "Task results"
