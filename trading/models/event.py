"""The append-only log of decisions and orders, and the signs of life of the processes."""

from datetime import datetime

from django.db import connection, models, transaction
from django.utils import timezone

from trading.models.account import Slot
from trading.models.intent import OrderIntent
from trading.models.position import Position


class Event(models.Model):
    """A fact. Never a tick; never changed; deleted only by the scheduled pruning."""

    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=48)
    slot = models.ForeignKey(Slot, null=True, on_delete=models.PROTECT, related_name="events")
    position = models.ForeignKey(Position, null=True, on_delete=models.PROTECT, related_name="events")
    intent = models.ForeignKey(OrderIntent, null=True, on_delete=models.PROTECT, related_name="events")
    guard_id = models.BigIntegerField(null=True)
    data = models.JSONField(default=dict)
    source = models.CharField(max_length=64, help_text="The process that recorded it.")

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["kind", "id"], name="events_by_kind"),
            models.Index(fields=["at"], name="events_by_time"),
            models.Index(fields=["guard_id", "id"], name="events_by_guard"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.kind}"

    @classmethod
    def prune(cls, *, before: datetime) -> int:
        """Delete what is older. The database refuses every other deletion, and every change."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL robson.pruning = 'on'")
            return cls.objects.filter(at__lt=before).delete()[0]


class Heartbeat(models.Model):
    """When a process last did its whole job, as opposed to being up."""

    name = models.CharField(max_length=64, primary_key=True)
    at = models.DateTimeField()
    data = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M:%S}"
