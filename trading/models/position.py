"""Core positions."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from trading.domain.lifecycle import MANAGED_STATES, PositionState
from trading.domain.stops import StopKind
from trading.domain.trailing import TrailingStop, activates
from trading.models.account import Slot
from trading.models.fields import Amount, choices

INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")


class Position(models.Model):
    """One Core position, from arming to its end. Its state changes only through `trading.journal`."""

    slot = models.ForeignKey(Slot, on_delete=models.PROTECT, related_name="positions")
    state = models.CharField(max_length=10, choices=choices(PositionState), default=PositionState.ARMED)

    capital = Amount(validators=[MinValueValidator(Decimal("0.01"))])
    risk_percent = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal("10"))],
    )
    fast_period = models.PositiveSmallIntegerField(default=9, validators=[MinValueValidator(1)])
    slow_period = models.PositiveSmallIntegerField(
        default=21, validators=[MinValueValidator(2), MaxValueValidator(500)]
    )
    interval = models.CharField(max_length=4, choices=[(i, i) for i in INTERVALS], default="15m")
    stop_kind = models.CharField(max_length=10, choices=choices(StopKind), default=StopKind.PERCENT)
    stop_value = Amount(
        default=Decimal("2"),
        help_text="Percent of entry, distance in quote currency, or multiple of ATR(14).",
    )
    activation_price = Amount(null=True, blank=True)
    trailing_bps = models.PositiveIntegerField(null=True, blank=True)

    signal_id = models.CharField(max_length=64, blank=True)
    quantity = Amount(default=Decimal(0))
    entry_price = Amount(null=True, blank=True)
    distance = Amount(null=True, blank=True)
    stop_price = Amount(null=True, blank=True)
    extreme_price = Amount(null=True, blank=True)
    extreme_time_ms = models.BigIntegerField(default=0)
    binance_position_id = models.CharField(
        max_length=255, blank=True, help_text="Binance has no position id on margin: the entry's order id."
    )

    exit_reason = models.CharField(max_length=64, blank=True)
    exit_price = Amount(null=True, blank=True)
    exit_quantity = Amount(default=Decimal(0))
    realised_pnl = Amount(null=True, blank=True, help_text="In quote currency, after fees.")

    armed_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    missing_since = models.DateTimeField(
        null=True, blank=True, help_text="The exchange holds less than this position since then."
    )
    note = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["slot", "state"], name="position_by_slot_and_state"),
            models.Index(fields=["state"], condition=Q(state__in=MANAGED_STATES), name="managed_positions"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(PositionState)), name="position_state_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[PositionState.ACTIVE, PositionState.EXITING])
                # A check that comes to NULL is passed: each value must be said to be there.
                | Q(
                    stop_price__isnull=False,
                    entry_price__isnull=False,
                    distance__isnull=False,
                    extreme_price__isnull=False,
                    stop_price__gt=0,
                    entry_price__gt=0,
                    quantity__gt=0,
                    distance__gt=0,
                    extreme_price__gt=0,
                ),
                name="active_implies_a_stop",
            ),
            models.UniqueConstraint(
                fields=["slot"],
                condition=Q(state__in=MANAGED_STATES),
                name="one_managed_core_position_per_slot",
            ),
            models.UniqueConstraint(
                fields=["signal_id"], condition=~Q(signal_id=""), name="a_signal_opens_one_position"
            ),
            models.CheckConstraint(
                condition=Q(fast_period__gte=1, slow_period__gt=models.F("fast_period")),
                name="fast_average_is_faster",
            ),
            models.CheckConstraint(
                condition=Q(capital__gt=0, risk_percent__gt=0), name="position_risks_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slot} #{self.pk}"

    def event_links(self) -> dict[str, Any]:
        return {"slot_id": self.slot_id, "position_id": self.pk}

    def log_ids(self) -> dict[str, object]:
        return {**self.slot.log_ids(), "position_id": self.pk}

    @property
    def trailing(self) -> TrailingStop:
        """The stop engine's state as last persisted. Only for a position that has been filled."""
        if self.distance is None:
            raise ValueError(f"{self} has not been filled: it has no stop yet")
        waiting = TrailingStop(
            side=self.slot.position_side,
            distance=None if self.trailing_bps else self.distance,
            offset_bps=self.trailing_bps or None,
            activation=self.activation_price,
            stop=self.stop_price,
            last_time_ms=self.extreme_time_ms,
        )
        # Before its activation price a stop trails nothing: the first one stands.
        active = self.extreme_price is not None and activates(waiting, self.extreme_price)
        return replace(waiting, extreme=self.extreme_price) if active else waiting
