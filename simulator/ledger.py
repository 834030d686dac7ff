"""Double-entry bookkeeping, to the last digit.

Every amount that enters a wallet leaves the outside world, and the other way round, so for each asset

    sum of all wallets (free + locked) + sum of the outside accounts == 0

at all times. The outside accounts are `market` (the other side of every fill), `fees`, `lender` (loans out,
repayments in) and `owner` (deposits and withdrawals). A wallet can never go below zero: asking for that is a
defect of the simulator and raises `LedgerError` before anything has moved.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Literal

ZERO = Decimal(0)
UNIT = Decimal("0.00000001")

Outside = Literal["market", "fees", "lender", "owner"]


class LedgerError(Exception):
    """A posting would have made a balance negative."""


@dataclass(slots=True)
class Wallet:
    """One asset of one isolated pair, all amounts in that asset.

    `interest_from_ms` is when the next hour of interest falls due; it means nothing without a debt.
    """

    asset: str
    free: Decimal = ZERO
    locked: Decimal = ZERO
    borrowed: Decimal = ZERO
    interest: Decimal = ZERO
    interest_from_ms: int = 0

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked

    @property
    def debt(self) -> Decimal:
        """Principal and interest together."""
        return self.borrowed + self.interest

    @property
    def net(self) -> Decimal:
        """What would be left after paying the debt; negative when the wallet owes more than it holds."""
        return self.total - self.debt


class Ledger:
    """The only place that changes `free` and `locked`."""

    def __init__(self) -> None:
        self.outside: dict[tuple[Outside, str], Decimal] = defaultdict(Decimal)

    def receive(self, wallet: Wallet, amount: Decimal, source: Outside) -> None:
        """From the outside account into the wallet's free balance."""
        _refuse_negative(amount)
        wallet.free += amount
        self.outside[source, wallet.asset] -= amount

    def pay(self, wallet: Wallet, amount: Decimal, target: Outside) -> None:
        """From the wallet's free balance to the outside account."""
        _refuse_negative(amount)
        _refuse_negative(wallet.free - amount)
        wallet.free -= amount
        self.outside[target, wallet.asset] += amount

    def pay_locked(self, wallet: Wallet, amount: Decimal, target: Outside) -> None:
        """From the wallet's locked balance to the outside account."""
        _refuse_negative(amount)
        _refuse_negative(wallet.locked - amount)
        wallet.locked -= amount
        self.outside[target, wallet.asset] += amount

    def lock(self, wallet: Wallet, amount: Decimal) -> None:
        """Set part of the free balance aside for an order."""
        _refuse_negative(amount)
        _refuse_negative(wallet.free - amount)
        wallet.free -= amount
        wallet.locked += amount

    def unlock(self, wallet: Wallet, amount: Decimal) -> None:
        """Give back what an order no longer needs."""
        _refuse_negative(amount)
        _refuse_negative(wallet.locked - amount)
        wallet.locked -= amount
        wallet.free += amount

    def outside_total(self, asset: str) -> Decimal:
        """The sum of the outside accounts: the negative of everything that wallets hold of this asset."""
        return sum((amount for (_, name), amount in self.outside.items() if name == asset), ZERO)


def _refuse_negative(amount: Decimal) -> None:
    if amount < 0:
        raise LedgerError(f"a balance or a posting would become {amount}")


def round_down(amount: Decimal) -> Decimal:
    """Eight decimals, towards zero."""
    return amount.quantize(UNIT, rounding=ROUND_DOWN)


def round_up(amount: Decimal) -> Decimal:
    """Eight decimals, away from zero."""
    return amount.quantize(UNIT, rounding=ROUND_UP)


def floor_to(quantity: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `quantity`; a step of zero changes nothing."""
    return quantity if step == 0 else quantity // step * step


def ceil_to(quantity: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `quantity`."""
    floored = floor_to(quantity, step)
    return floored if floored == quantity else floored + step
