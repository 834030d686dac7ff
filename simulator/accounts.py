"""Whose money it is: API keys, and one base and one quote wallet per isolated pair."""

from dataclasses import dataclass, field
from decimal import Decimal

from simulator.ledger import ZERO, Wallet
from simulator.positions import Episode
from simulator.symbols import SymbolInfo


@dataclass(slots=True)
class Pair:
    """One isolated margin pair of one account.

    `collateral` is the base currency that the owner brought in: it is in the wallet but is no position.
    """

    info: SymbolInfo
    base: Wallet
    quote: Wallet
    collateral: Decimal = ZERO
    episode: Episode = field(default_factory=Episode)

    @property
    def position(self) -> Decimal:
        """Net position in base currency: positive long, negative short."""
        return self.base.net - self.collateral

    def wallet(self, asset: str) -> Wallet | None:
        """The pair's wallet of this asset, or None."""
        return next((wallet for wallet in (self.base, self.quote) if wallet.asset == asset), None)

    def equity(self, price: Decimal) -> Decimal:
        """What the pair would be worth after paying all debts, in quote currency."""
        return self.base.net * price + self.quote.net

    def debt(self, price: Decimal) -> Decimal:
        """All debts of the pair, in quote currency."""
        return self.base.debt * price + self.quote.debt

    def total(self, price: Decimal) -> Decimal:
        """Everything the pair holds, in quote currency."""
        return self.base.total * price + self.quote.total


@dataclass(slots=True)
class Account:
    """One set of API credentials, and what its key may do, as `apiRestrictions` tells it.

    `can_borrow` is margin's loans and repayments. `trades_until_ms` is for keys that are not bound to
    addresses: those cease to trade then.
    """

    api_key: str
    secret: str
    uid: int
    created_ms: int
    pairs: dict[str, Pair] = field(default_factory=dict)
    can_read: bool = True
    can_trade: bool = True
    can_borrow: bool = True
    can_withdraw: bool = False
    can_transfer: bool = False
    ip_restricted: bool = True
    trades_until_ms: int | None = None


def open_pair(info: SymbolInfo) -> Pair:
    """An empty isolated pair."""
    return Pair(info, base=Wallet(info.base), quote=Wallet(info.quote))
