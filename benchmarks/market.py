"""The owner's side of the simulator: prices, trades by hand, and when each order arrived."""

import os
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from robson.local.simulator import Control
from trading.models import Account

ENTRY = Decimal(100)
TOUCH = Decimal(97)


@dataclass(frozen=True)
class Trader:
    """One account: its row in the database, and its key at the simulator."""

    control: Control
    account: Account
    api_key: str

    def buy(self, symbol: str, quantity: Decimal) -> Decimal:
        """Buy by hand at the entry price; what is then held, in base currency after the commission."""
        self.control.price(symbol, ENTRY)
        order = self.control.trade("BUY", quantity, symbol=symbol, api_key=self.api_key)
        fees = (Decimal(fill["commission"]) for fill in order["fills"])
        return Decimal(order["executed"]) - sum(fees, Decimal(0))

    def arrivals(self) -> dict[str, list[int]]:
        """When each order of a program arrived, by symbol: `received_ns` of the simulator's clock."""
        found: dict[str, list[int]] = {}
        for order in self.control.orders():
            if order["api_key"] == self.api_key and not order["by_hand"]:
                found.setdefault(order["symbol"], []).append(order["received_ns"])
        return found

    def violations(self) -> list[Any]:
        """What should never have happened, as the simulator's ledger tells it."""
        found: list[Any] = self.control.ledger()["violations"]
        return found


def open_account(control: Control, name: str) -> Trader:
    """An account that is the only active one. Its key is in the environment of processes started later."""
    key, secret = f"{name}-key", f"{name}-secret"
    control.call("POST", "account", {"api_key": key, "secret": secret})
    key_variable, secret_variable = f"BENCH_{name.upper()}_KEY", f"BENCH_{name.upper()}_SECRET"
    os.environ[key_variable], os.environ[secret_variable] = key, secret
    Account.objects.update(active=False)
    account = Account.objects.create(name=name, api_key_env=key_variable, api_secret_env=secret_variable)
    return Trader(control, account, key)


def publish(control: Control, symbol: str, price: Decimal) -> int:
    """Print a price; when it was published, in nanoseconds of the clock that arrivals are told in."""
    answer = control.call("POST", "price", {"symbol": symbol, "price": str(price)})
    published: int = answer["published_ns"]
    return published


def symbols(first: int, count: int) -> list[str]:
    """Names of the simulator's synthetic pairs."""
    return [f"SYN{number:02d}USDT" for number in range(first, first + count)]
