"""Accounts, and the slots that ownership is counted in."""

import os
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from trading.domain.types import Side, SlotKey, Venue
from trading.models.fields import Amount, choices

# Of ASCII capitals and digits only; of the rest all, since Binance lists pairs that are not spelled in ASCII.
SYMBOL_PATTERN = r"^[^\s!-/:-@\[-~]+$"


class Account(models.Model):
    """One set of Binance credentials with its risk settings. The secrets stay in the environment."""

    name = models.CharField(max_length=32, unique=True, validators=[RegexValidator(r"^[a-z0-9][a-z0-9_-]*$")])
    api_key_env = models.CharField(
        "API key variable",
        max_length=64,
        default="BINANCE_API_KEY",
        help_text="Name of the environment variable.",
    )
    api_secret_env = models.CharField(
        "API secret variable",
        max_length=64,
        default="BINANCE_API_SECRET",
        help_text="Name of the environment variable.",
    )
    capital = Amount(
        default=Decimal("1000"),
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="Default capital of a position, in quote currency.",
    )
    risk_percent = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        default=Decimal("1"),
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal("10"))],
        help_text="Loss at the stop, fees included, as a percentage of the capital.",
    )
    safety_stop_percent = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        default=Decimal("2"),
        validators=[MinValueValidator(Decimal("0.1")), MaxValueValidator(Decimal("10"))],
        help_text="Distance of the Safety Net's stop from the entry, in percent.",
    )
    entries_paused = models.BooleanField(default=False, help_text="No new entries. Stops keep working.")
    active = models.BooleanField(default=True, help_text="Watched by the consumer and the poll.")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=models.Q(capital__gt=0), name="account_capital_is_positive"),
            models.CheckConstraint(
                condition=models.Q(risk_percent__gt=0, risk_percent__lte=10), name="account_risk_is_sane"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def log_ids(self) -> dict[str, object]:
        return {"account": self.name}

    def twin(self) -> "Account | None":
        """Another active account with the same key: both would see, and close, the same positions."""
        key = os.environ.get(self.api_key_env)
        for other in Account.objects.filter(active=True).exclude(pk=self.pk).order_by("pk"):
            if other.api_key_env == self.api_key_env or (key and os.environ.get(other.api_key_env) == key):
                return other
        return None

    def clean(self) -> None:
        """An active account has a key of its own. Raises ValidationError."""
        twin = self.twin() if self.active else None
        if twin is not None:
            raise ValidationError({"api_key_env": f"This is the key of the account {twin} already."})


class Slot(models.Model):
    """The unit of ownership, and the row that is locked before anyone claims an order in it."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="slots")
    venue = models.CharField(max_length=20, choices=choices(Venue))
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=5, choices=choices(Side))

    class Meta:
        ordering = ["account", "symbol", "side"]
        constraints = [
            models.UniqueConstraint(fields=["account", "venue", "symbol", "side"], name="one_row_per_slot"),
            models.CheckConstraint(condition=models.Q(side__in=list(Side)), name="slot_side_is_known"),
            models.CheckConstraint(condition=models.Q(venue__in=list(Venue)), name="slot_venue_is_known"),
            models.CheckConstraint(
                condition=models.Q(symbol__regex=SYMBOL_PATTERN), name="slot_symbol_is_upper_case"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.position_side.capitalize()}"

    def log_ids(self) -> dict[str, object]:
        # From memory alone: an exit must not ask the database for the sake of a log line.
        account = self._state.fields_cache.get("account")
        return {"account": account.name if account else None, "symbol": self.symbol}

    @property
    def position_side(self) -> Side:
        return Side(self.side)

    @property
    def key(self) -> SlotKey:
        return SlotKey(self.account.name, Venue(self.venue), self.symbol, self.position_side)

    @classmethod
    def of(cls, account: Account, symbol: str, side: Side, venue: Venue = Venue.ISOLATED_MARGIN) -> "Slot":
        """The slot's row, created when it is asked for the first time."""
        return cls.objects.get_or_create(account=account, venue=venue, symbol=symbol, side=side)[0]
