"""The Safety Net's guards, with what is known about them right now, and their exemptions."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from robson.admin.watched import Watched
from robson.holdings import Holding
from safetynet.admin import GuardedPositionAdmin
from safetynet.models import GuardedPosition


@admin.register(GuardedPosition)
class Guards(Watched, GuardedPositionAdmin):
    kind = "guard"
    list_display = (
        "id", "state_badge", "symbol", "side", "protector", "exemption", "size", "entry", "stop", "last",
        "age", "room", "unrealised", "account", "opened", "end_reason", "provisional",
    )  # fmt: skip
    change_form_template = "admin/safetynet/guardedposition/detail.html"
    fields = (
        "state_badge", "symbol", "side", "account", "size", "entry", "provisional", "stop",
        "last", "age", "room", "unrealised", "protector", "exemption",
        "price", "seen", "opened", "closed", "exit_at", "brought", "end_reason", "told",
    )  # fmt: skip
    readonly_fields = (
        *GuardedPositionAdmin.readonly_fields,
        "last", "age", "room", "unrealised", "protector", "exemption",
    )  # fmt: skip

    @admin.display(description="exemption", empty_value="")
    def exemption(self, guard: Any) -> str:
        """Why its stop is off. Until when is told by the protector."""
        holding: Holding | None = guard.holding
        return holding.note if holding and holding.exempt else ""

    def page_of(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """With the way to an exemption, while there is something to exempt."""
        holding: Holding | None = row.holding
        may = request.user.has_perm("safetynet.add_exemption")
        can_exempt = may and holding is not None and not holding.exempt
        return {**super().page_of(request, row), "can_exempt": can_exempt}
