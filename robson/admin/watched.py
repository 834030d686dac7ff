"""Columns of what is going on now: last price and its age, room before the stop, profit so far, protector."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.views import ChangeList

from robson.holdings import Holding, holdings
from trading.admin.columns import plain, span
from trading.admin.readonly import ReadOnlyAdmin
from trading.models import Account

OLD_PRICE_S = 30


def live(kind: str) -> dict[int, Holding]:
    """Everything of one kind that is not over, by its number; a fixed number of queries."""
    found = holdings(Account.objects.all(), now=timezone.now())
    return {holding.id: holding for holding in found if holding.kind == kind}


class WatchedList(ChangeList):  # type: ignore[misc]  # the theme ships no types
    """A page of a list whose rows know their holding."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        known = live(self.model_admin.kind)
        # Read once: what shows the page goes through the same rows again.
        for row in self.result_list:
            row.holding = known.get(row.pk)


class Watched(ReadOnlyAdmin):
    """A list and pages whose rows have `holding`, None once it is over."""

    kind: str
    # Rows with as much in them take their time, and who has more open than that chooses a filter.
    list_per_page = 25

    def get_changelist(self, *_: Any, **__: Any) -> type[WatchedList]:
        return WatchedList

    def get_object(self, *args: Any, **options: Any) -> Any:
        found = super().get_object(*args, **options)
        if found is not None:
            found.holding = live(self.kind).get(found.pk)
        return found

    @admin.display(description="last price", empty_value="")
    def last(self, row: Any) -> str:
        holding: Holding | None = row.holding
        return plain(holding.price) if holding else ""

    @admin.display(description="price's age", empty_value="")
    def age(self, row: Any) -> str:
        holding: Holding | None = row.holding
        if holding is None or holding.last is None:
            return ""
        told = f"{holding.last.age_s:,.0f} s"
        return span("alarming", told) if holding.last.age_s > OLD_PRICE_S else told

    @admin.display(description="to stop", empty_value="")
    def room(self, row: Any) -> str:
        holding: Holding | None = row.holding
        if holding is None or holding.to_stop is None or holding.to_stop_percent is None:
            return ""
        told = f"{plain(holding.to_stop)} ({holding.to_stop_percent:.2f} %)"
        return span("alarming", told) if holding.to_stop <= 0 else told

    @admin.display(description="unrealised", empty_value="")
    def unrealised(self, row: Any) -> str:
        holding: Holding | None = row.holding
        return _signed(holding.unrealised) if holding and holding.unrealised is not None else ""

    @admin.display(description="protected by", empty_value="")
    def protector(self, row: Any) -> str | SafeString:
        holding: Holding | None = row.holding
        if holding is None or not holding.exposed or holding.protected:
            return holding.protected_by if holding else ""
        # Its owner wants it so: nobody is to be woken for it.
        return span("exempt" if holding.exempt else "alarming", holding.protected_by)


def _signed(value: Decimal) -> str:
    """With its sign: the colour alone must not tell a gain from a loss."""
    return span("gain" if value >= 0 else "loss", f"{value:+.2f}")
