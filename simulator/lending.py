"""Loans of an isolated pair: how much may be borrowed, what it costs, what a repayment pays first."""

from decimal import Decimal

from simulator import errors
from simulator.accounts import Pair
from simulator.ledger import ZERO, Ledger, Wallet, round_down, round_up

HOUR_MS = 3_600_000


def max_borrow(pair: Pair, asset: str, price: Decimal, leverage: int) -> Decimal:
    """The most that may still be borrowed of this asset, in that asset, with `price` in quote currency.

    All debts together may reach (leverage - 1) times the pair's own funds.
    """
    room = pair.equity(price) * (leverage - 1) - pair.debt(price)
    in_asset = room / price if asset == pair.base.asset else room
    return max(ZERO, round_down(in_asset))


def borrow(ledger: Ledger, wallet: Wallet, amount: Decimal, *, rate: Decimal, now_ms: int) -> None:
    """Lend `amount`; the first hour's interest is due at once (`rate` is a fraction per hour)."""
    if wallet.debt == 0:
        wallet.interest_from_ms = now_ms + HOUR_MS
    ledger.receive(wallet, amount, "lender")
    wallet.borrowed += amount
    wallet.interest += round_up(amount * rate)


def accrue(wallet: Wallet, *, rate: Decimal, now_ms: int) -> None:
    """Charge the hours of interest that have fallen due since the last time."""
    if wallet.debt == 0 or now_ms < wallet.interest_from_ms:
        return
    hours = (now_ms - wallet.interest_from_ms) // HOUR_MS + 1
    wallet.interest += round_up(wallet.borrowed * rate * hours)
    wallet.interest_from_ms += hours * HOUR_MS


def repay(ledger: Ledger, wallet: Wallet, amount: Decimal) -> Decimal:
    """Pay up to `amount` of the debt from the free balance, interest first; returns what was paid."""
    paid = min(amount, wallet.free, wallet.debt)
    if paid <= 0:
        return ZERO
    ledger.pay(wallet, paid, "lender")
    interest = min(paid, wallet.interest)
    wallet.interest -= interest
    wallet.borrowed -= paid - interest
    return paid


def repay_exactly(ledger: Ledger, wallet: Wallet, amount: Decimal) -> None:
    """A repayment asked for by hand. Raises -3015 past the debt, -3041 past the free balance."""
    if amount > wallet.debt:
        raise errors.repay_exceeds_debt()
    if amount > wallet.free:
        raise errors.balance_not_enough()
    repay(ledger, wallet, amount)
