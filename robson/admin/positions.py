"""Core's positions, with what is known about them right now."""

from django.contrib import admin

from robson.admin.watched import Watched
from trading.admin.position import PositionAdmin
from trading.models import Position


@admin.register(Position)
class Positions(Watched, PositionAdmin):
    kind = "core"
    list_display = (
        "id", "state_badge", "symbol", "side", "protector", "size", "entry", "stop", "last", "age", "room",
        "unrealised", "account", "opened", "closed", "profit",
    )  # fmt: skip
    armed_display = (*PositionAdmin.armed_display, "last", "age")
    fieldsets = (
        *PositionAdmin.fieldsets[:1],
        ("Right now", {"fields": (("last", "age"), ("room", "unrealised"), "protector")}),
        *PositionAdmin.fieldsets[1:],
    )
    readonly_fields = (*PositionAdmin.readonly_fields, "last", "age", "room", "unrealised", "protector")
