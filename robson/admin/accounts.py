"""Accounts, and the switch that takes one out of everybody's sight."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.utils import timezone

from robson.holdings import holdings
from trading import operations
from trading.admin.account import AccountAdmin, AccountForm
from trading.admin.asking import Answers, NotPossible, Verb
from trading.admin.forms import ReasonForm
from trading.models import Account


def switch_off(account: Account, answers: Answers, by: str) -> str:
    """Raises NotPossible if it is off, or while Core has something there."""
    if not operations.switch_account(account=account, active=False, reason=answers["reason"], by=by):
        raise NotPossible(f"account {account} is switched off already")
    return f"{account} is switched off: neither consumer nor poll watches it."


def switch_on(account: Account, answers: Answers, by: str) -> str:
    """Raises NotPossible if it is on, or if another account with its key is."""
    if not operations.switch_account(account=account, active=True, reason=answers["reason"], by=by):
        raise NotPossible(f"account {account} is switched on already")
    return f"{account} is switched on: the next poll looks at it."


def without_protection(accounts: Sequence[Account]) -> list[str]:
    """What nobody would close any more, line by line."""
    found = holdings(accounts, now=timezone.now())
    return [
        f"{one.account}: {one.symbol} {one.side.capitalize()}, {one.state} ({one.kind} {one.id}), "
        f"now protected by {one.protected_by}"
        for one in found
        if one.exposed
    ]


class SwitchOffForm(ReasonForm):
    """While something is open a reason is not enough: the accounts are typed by name."""

    def __init__(self, accounts: Sequence[Account], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names = " ".join(account.name for account in accounts)
        if not without_protection(accounts):
            del self.fields["names"]
        else:
            self.fields[
                "names"
            ].help_text = f"Positions are open. To leave them without a stop: {self._names}"

    names = forms.CharField(
        label="Type the account's name", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def clean_names(self) -> str:
        """The names as shown."""
        typed = str(self.cleaned_data["names"]).strip()
        if typed != self._names:
            raise forms.ValidationError(f"Nothing was switched off. Type {self._names} to mean it.")
        return typed


SWITCH_OFF = Verb(
    "switch_off",
    "Switch off",
    "Neither consumer nor poll watches the account any more: no Safety Net, no alarm. What Core has there "
    "must be closed or disarmed before. To stop new entries only, pause them instead.",
    "Switch off",
    switch_off,
    fits=lambda account: account.active,
    dangers=without_protection,
    form=SwitchOffForm,
)
SWITCH_ON = Verb(
    "switch_on",
    "Switch on",
    "Consumer and poll watch the account from now on. The Safety Net guards what it finds there.",
    "Switch on",
    switch_on,
    fits=lambda account: not account.active,
)


class OpenAccountForm(AccountForm):
    """Other keys lead to another account of Binance's: nobody would watch what is open on this one."""

    def clean(self) -> dict[str, Any] | None:
        """Raises ValidationError for other keys while something is open."""
        if self.instance.pk and operations.KEYS & set(self.changed_data):
            lines = without_protection([self.instance])
            if lines:
                raise forms.ValidationError(
                    [*lines, "Close this first. A new key of the same account goes into the same variable."]
                )
        return super().clean()


@admin.register(Account)
class Accounts(AccountAdmin):
    form = OpenAccountForm
    verbs = (*AccountAdmin.verbs, SWITCH_OFF, SWITCH_ON)
