"""Alarms, and the outbox: who is to be told of them, and who has been."""

from django.db import models
from django.db.models import Q

from robson.alarms.kinds import Kind, Severity


class Alarm(models.Model):
    """Something that the owner must hear of.

    A lasting one is a state: raised when it begins, cleared when it is over. The others have happened once,
    and are cleared from the beginning. The links are numbers, not keys: an alarm must never stand in the way
    of a row of trading's.
    """

    key = models.CharField(max_length=120, help_text="What makes it the same alarm when it is seen again.")
    lasting = models.BooleanField(help_text="A state with an end, as opposed to something that happened.")
    kind = models.CharField(max_length=32, choices=[(str(kind), str(kind)) for kind in Kind])
    severity = models.CharField(max_length=8, choices=[(str(each), str(each)) for each in Severity])
    subject = models.CharField(max_length=120, help_text="What it is about: BTCUSDT Long, consumer.")
    text = models.TextField(help_text="What is known.")
    to_do = models.TextField(blank=True, help_text="What to do about it.")

    account = models.CharField(max_length=32, blank=True)
    slot_id = models.BigIntegerField(null=True, blank=True)
    position_id = models.BigIntegerField(null=True, blank=True)
    guard_id = models.BigIntegerField(null=True, blank=True)
    intent_id = models.BigIntegerField(null=True, blank=True)
    event_id = models.BigIntegerField(null=True, blank=True)

    raised_at = models.DateTimeField(help_text="When it began.")
    last_seen_at = models.DateTimeField()
    times_seen = models.PositiveIntegerField(default=1)
    holds_until = models.DateTimeField(null=True, blank=True, help_text="Over, unless seen again by then.")
    remind_at = models.DateTimeField(null=True, blank=True)
    cleared_at = models.DateTimeField(null=True, blank=True, help_text="Since when it is over.")
    told_at = models.DateTimeField(null=True, blank=True, help_text="When the first channel had it.")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["raised_at"], name="alarms_by_time"),
            models.Index(fields=["key", "id"], name="alarms_by_key"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(lasting=True, cleared_at__isnull=True),
                name="one_open_alarm_per_key",
            ),
            models.UniqueConstraint(
                fields=["key"], condition=Q(lasting=False), name="what_happened_once_is_one_alarm"
            ),
            models.CheckConstraint(
                condition=Q(lasting=True) | Q(cleared_at__isnull=False), name="only_a_state_is_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"

    @property
    def is_open(self) -> bool:
        """Whether it is still so."""
        return self.cleared_at is None


class Telling(models.Model):
    """One thing to be told over one channel. Committed before it is sent, marked when it has been."""

    class About(models.TextChoices):
        BEGUN = "begun"
        WORSE = "worse"
        STILL = "still"
        OVER = "over"

    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="tellings")
    channel = models.CharField(max_length=16, help_text="The channel's short name, made from its address.")
    about = models.CharField(max_length=5, choices=About.choices)
    created_at = models.DateTimeField()
    taken_until = models.DateTimeField(null=True, blank=True, help_text="Being sent by somebody until then.")
    told_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["channel", "id"], condition=Q(told_at__isnull=True), name="untold_by_channel"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alarm_id} {self.about} to {self.channel}"
