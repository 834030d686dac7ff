"""Alarms, to be read."""

from typing import Any

from django.contrib import admin

from robson.alarms.models import Alarm, Telling
from trading.admin.columns import label, moment
from trading.admin.readonly import ReadOnlyAdmin, TabularInline


class TellingInline(TabularInline):
    """Who was told."""

    model = Telling
    extra = 0
    can_delete = False
    ordering = ("id",)
    fields = ("channel", "about", "created_at", "told_at", "failures", "last_error")
    readonly_fields = fields

    def has_add_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any, **__: Any) -> bool:
        return False


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    list_display = ("raised", "loudness", "kind", "subject", "account", "text", "until", "told", "times_seen")
    ordering = ("-id",)
    list_filter = ("severity", "kind", "raised_at")
    search_fields = ("subject",)
    search_help_text = "A symbol, or a part of it"
    inlines = (TellingInline,)
    fieldsets = (
        (None, {"fields": ("kind", "loudness", "subject", "text", "to_do")}),
        ("About", {"fields": ("account", "position_id", "guard_id", "intent_id", "event_id")}),
        ("Time", {"fields": ("raised", "last_seen_at", "times_seen", "until", "told")}),
    )
    readonly_fields = ("raised", "loudness", "until", "told")
    raised = moment("raised_at", "raised (UTC)")
    until = moment("cleared_at", "over (UTC)")
    told = moment("told_at", "told (UTC)")

    @label("severity", ordering="severity")
    def loudness(self, alarm: Alarm) -> str:
        return alarm.severity
