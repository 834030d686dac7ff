"""What the Safety Net remembers: the episodes it guards, the owner's exemptions, and its own polls."""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from trading.domain.lifecycle import LIVE_GUARD_STATES, GuardState
from trading.domain.types import Side

ONE_LIVE_GUARD = "one_live_guard_per_slot"


class GuardedPosition(models.Model):
    """One episode of a manually opened position. Prices in quote currency, quantity in base."""

    slot = models.ForeignKey("trading.Slot", on_delete=models.PROTECT, related_name="guards")
    state = models.CharField(
        max_length=10,
        choices=[(str(state), str(state).capitalize()) for state in GuardState],
        default=GuardState.GUARDING,
    )
    quantity = models.DecimalField(max_digits=30, decimal_places=12)
    entry_price = models.DecimalField(max_digits=30, decimal_places=12)
    entry_is_provisional = models.BooleanField(
        default=False, help_text="The trades did not tell the entry price: protected from the price found."
    )
    stop_price = models.DecimalField(max_digits=30, decimal_places=12)
    first_trade_id = models.BigIntegerField(null=True, help_text="The trade that opened it.")
    last_trade_id = models.BigIntegerField(default=0)
    seen_balances = models.CharField(max_length=160, blank=True, help_text="What it was derived from.")
    beside_position_id = models.BigIntegerField(
        null=True, help_text="The Core position in the same slot, beside which this is the owner's surplus."
    )
    touched_price = models.DecimalField(
        max_digits=30,
        decimal_places=12,
        null=True,
        help_text="Set by the touch of the stop: an exit is due.",
    )
    touched_at = models.DateTimeField(null=True, help_text="When the price of that touch was received.")
    last_price = models.DecimalField(max_digits=30, decimal_places=12, null=True)
    last_seen_at = models.DateTimeField(default=timezone.now)
    exit_price = models.DecimalField(max_digits=30, decimal_places=12, null=True)
    end_reason = models.CharField(max_length=64, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["slot"], condition=Q(state__in=LIVE_GUARD_STATES), name=ONE_LIVE_GUARD
            ),
            models.CheckConstraint(condition=Q(state__in=list(GuardState)), name="guard_state_is_known"),
            models.CheckConstraint(
                condition=~Q(state__in=LIVE_GUARD_STATES)
                | Q(stop_price__gt=0, entry_price__gt=0, quantity__gt=0),
                name="guarding_implies_a_stop",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slot} guard #{self.pk}"

    @property
    def result(self) -> Decimal | None:
        """What it has brought, in quote currency, before fees. None as long as its exit is not known."""
        if self.exit_price is None:
            return None
        gain = self.exit_price - self.entry_price
        return (gain if self.slot.side == Side.LONG else -gain) * self.quantity

    def event_links(self) -> dict[str, Any]:
        return {"slot_id": self.slot_id, "guard_id": self.pk}

    def log_ids(self) -> dict[str, object]:
        return {**self.slot.log_ids(), "guard_id": self.pk}


class Exemption(models.Model):
    """The owner takes a slot out of the Safety Net for a while, and says why."""

    slot = models.ForeignKey("trading.Slot", on_delete=models.PROTECT, related_name="exemptions")
    reason = models.CharField(max_length=255)
    until = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=150, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(until__gt=models.F("created_at")), name="exemption_ends"),
            models.CheckConstraint(condition=~Q(reason=""), name="exemption_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.slot} until {self.until:%Y-%m-%d %H:%M}"

    def event_links(self) -> dict[str, Any]:
        return {"slot_id": self.slot_id}


class PollState(models.Model):
    """One row per account: whose turn the poll is, and how it has been going. Its lease forbids overlaps."""

    account = models.OneToOneField("trading.Account", on_delete=models.CASCADE, related_name="poll_state")
    lease_holder = models.CharField(max_length=64, blank=True)
    lease_session = models.CharField(
        max_length=64,
        blank=True,
        help_text="The database session of its holder: gone with it, so is the lease.",
    )
    lease_until = models.DateTimeField(default=timezone.now)
    last_started_at = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    last_duration_s = models.DecimalField(max_digits=10, decimal_places=3, default=Decimal(0))
    polls = models.PositiveBigIntegerField(default=0)
    failures_in_a_row = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=255, blank=True)
    dismissed = models.JSONField(
        default=dict, help_text="Balances that have been looked into and are no position, by symbol."
    )

    recognised = models.JSONField(
        default=dict, help_text="What the last poll said about the slots that it kept off, by slot."
    )

    def __str__(self) -> str:
        return f"poll of {self.account}"
