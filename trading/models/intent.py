"""Orders: the intent that is committed before anything is sent, its attempts, and their fills."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from trading.domain.lifecycle import LIVE_INTENT_STATES, IntentState
from trading.domain.types import OrderSide
from trading.models.account import Slot
from trading.models.fields import Amount, choices
from trading.models.position import Position


class Purpose(StrEnum):
    ENTRY = "entry"
    EXIT = "exit"


class Owner(StrEnum):
    """Who asked for an order."""

    CORE = "core"
    SAFETY_NET = "safety_net"
    OPERATOR = "operator"


class AttemptStatus(StrEnum):
    SENDING = "sending"
    UNKNOWN = "unknown"
    EXECUTED = "executed"
    NOT_EXECUTED = "not_executed"


class OrderIntent(models.Model):
    """One decision to trade. It lives until it is settled; attempts come and go."""

    slot = models.ForeignKey(Slot, on_delete=models.PROTECT, related_name="intents")
    purpose = models.CharField(max_length=5, choices=choices(Purpose))
    owner = models.CharField(max_length=10, choices=choices(Owner))
    position = models.ForeignKey(
        Position, null=True, blank=True, on_delete=models.PROTECT, related_name="intents"
    )
    guard_id = models.BigIntegerField(
        null=True, blank=True, help_text="A guarded position of the Safety Net."
    )
    state = models.CharField(max_length=10, choices=choices(IntentState), default=IntentState.PENDING)
    reason = models.CharField(max_length=64)
    order_side = models.CharField(max_length=4, choices=choices(OrderSide))
    quantity = Amount(help_text="What the owner of this intent has to trade, in base currency.")
    trigger_price = Amount(null=True, blank=True)
    triggered_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Exits: when the price that touched the stop was received, or somebody asked.",
    )

    attempts_made = models.PositiveIntegerField(default=0)
    refusals = models.PositiveIntegerField(default=0)
    lease_holder = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(default=timezone.now)

    executed_quantity = Amount(default=Decimal(0))
    executed_quote = Amount(default=Decimal(0))
    last_error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(state__in=LIVE_INTENT_STATES), name="live_intents"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["slot"],
                condition=Q(purpose=Purpose.EXIT, state__in=LIVE_INTENT_STATES),
                name="one_live_exit_per_slot",
            ),
            models.UniqueConstraint(
                fields=["slot"],
                condition=Q(purpose=Purpose.ENTRY, state__in=LIVE_INTENT_STATES),
                name="one_live_entry_per_slot",
            ),
            models.CheckConstraint(condition=Q(state__in=list(IntentState)), name="intent_state_is_known"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="intent_trades_something"),
            models.CheckConstraint(
                condition=~Q(state=IntentState.SENDING) | Q(lease_until__isnull=False, attempts_made__gt=0),
                name="sending_implies_a_lease",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} #{self.pk} {self.slot}"

    def event_links(self) -> dict[str, Any]:
        return {
            "slot_id": self.slot_id,
            "position_id": self.position_id,
            "intent_id": self.pk,
            "guard_id": self.guard_id,
        }

    def log_ids(self) -> dict[str, object]:
        ids = {"position_id": self.position_id, "guard_id": self.guard_id, "intent_id": self.pk}
        return {**self.slot.log_ids(), **ids}

    @property
    def is_exit(self) -> bool:
        return self.purpose == Purpose.EXIT

    @property
    def average_price(self) -> Decimal | None:
        """In quote currency; None while nothing is executed or its price is not known yet."""
        if self.executed_quantity and self.executed_quote:
            return Decimal(self.executed_quote / self.executed_quantity)
        return None


class OrderAttempt(models.Model):
    """One request that was, or may have been, sent. Failed attempts are history: the next is a new row."""

    intent = models.ForeignKey(OrderIntent, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField()
    client_order_id = models.CharField(max_length=36, unique=True)
    status = models.CharField(max_length=12, choices=choices(AttemptStatus), default=AttemptStatus.SENDING)
    timestamp_ms = models.BigIntegerField(help_text="Signed into the request, in the exchange's time.")
    quantity = Amount(null=True, blank=True, help_text="As sent.")
    order_id = models.CharField(max_length=32, blank=True)
    error_code = models.IntegerField(default=0)
    error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["intent", "number"]
        constraints = [models.UniqueConstraint(fields=["intent", "number"], name="attempts_are_numbered")]

    def __str__(self) -> str:
        return self.client_order_id


class Fill(models.Model):
    """One trade of an attempt, counted once however often it is reported."""

    attempt = models.ForeignKey(OrderAttempt, on_delete=models.PROTECT, related_name="fills")
    slot = models.ForeignKey(Slot, on_delete=models.PROTECT, related_name="fills")
    trade_id = models.BigIntegerField()
    price = Amount()
    quantity = Amount()
    commission = Amount()
    commission_asset = models.CharField(max_length=16)
    traded_at = models.DateTimeField()

    class Meta:
        ordering = ["trade_id"]
        constraints = [models.UniqueConstraint(fields=["attempt", "trade_id"], name="a_fill_counts_once")]

    def __str__(self) -> str:
        return f"{self.quantity} @ {self.price}"
