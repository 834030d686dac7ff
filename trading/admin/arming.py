"""The arm form. What the exchange or the account refuse is an error of the form, and nothing is written."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MinValueValidator, RegexValidator

from trading.admin.forms import ThemedForm
from trading.arming import ArmOrder
from trading.domain.stops import StopKind, StopPolicy
from trading.domain.types import Side
from trading.models import Account
from trading.models.fields import choices
from trading.models.position import INTERVALS

_above_zero = MinValueValidator(Decimal("0.00000001"), message="Must be above zero.")


class ArmForm(ThemedForm):
    """Everything but the symbol has a default; `order()` is what it asks for."""

    account = forms.ModelChoiceField(Account.objects.filter(active=True), empty_label=None)
    symbol = forms.CharField(
        max_length=32,
        widget=forms.TextInput(
            attrs={
                "placeholder": "BTCUSDT",
                "autofocus": True,
                "autocapitalize": "characters",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
        help_text="Type a few letters, for example btc.",
    )
    side = forms.ChoiceField(choices=choices(Side), initial=Side.LONG)
    capital = forms.DecimalField(
        required=False,
        validators=[_above_zero],
        help_text="In quote currency. Empty: the account's.",
    )
    risk_percent = forms.DecimalField(
        required=False,
        min_value=Decimal("0.01"),
        max_value=Decimal(10),
        help_text="Loss at the stop, fees included, in percent of the capital. Empty: the account's.",
    )
    fast_period = forms.IntegerField(initial=9, min_value=1, max_value=499, label="Fast average")
    slow_period = forms.IntegerField(initial=21, min_value=2, max_value=500, label="Slow average")
    interval = forms.ChoiceField(choices=[(i, i) for i in INTERVALS], initial="15m", label="Candle")
    stop_kind = forms.ChoiceField(choices=choices(StopKind), initial=StopKind.PERCENT, label="Stop")
    stop_value = forms.DecimalField(
        initial=Decimal(2),
        validators=[_above_zero],
        help_text="Percent of the entry price, a distance in quote currency, or a multiple of the ATR(14).",
    )
    activation_price = forms.DecimalField(
        required=False,
        validators=[_above_zero],
        help_text="Trail only once this price is reached. Empty: at once.",
    )
    trailing_bps = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1000,
        label="Trailing offset",
        help_text="Trail by basis points instead of the stop's distance. Empty: by the distance.",
    )
    reason = forms.CharField(
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Goes into the event log, with your name. May be empty.",
    )

    def clean_symbol(self) -> str:
        """Upper case, letters and digits only."""
        symbol = str(self.cleaned_data["symbol"]).strip().upper()
        RegexValidator(r"^[A-Z0-9]+$", "Letters and digits only, for example BTCUSDT.")(symbol)
        return symbol

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        fast, slow = data.get("fast_period"), data.get("slow_period")
        if fast and slow and fast >= slow:
            self.add_error("fast_period", "The fast average must be shorter than the slow one.")
        return data

    def order(self) -> ArmOrder:
        """What a valid form asks for."""
        data = self.cleaned_data
        return ArmOrder(
            symbol=data["symbol"],
            side=Side(data["side"]),
            capital=data["capital"],
            risk_percent=data["risk_percent"],
            fast_period=data["fast_period"],
            slow_period=data["slow_period"],
            interval=data["interval"],
            stop=StopPolicy(StopKind(data["stop_kind"]), data["stop_value"]),
            activation_price=data["activation_price"],
            trailing_bps=data["trailing_bps"],
        )
