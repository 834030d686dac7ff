"""The matrix from the test's side: positions to exit, the trouble beside, and the judgement at the end."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from robson.local.simulator import Control
from safetynet import guarding, services
from safetynet.models import GuardedPosition
from tests import factories
from tests.faults import crash_judging, entered
from tests.faults.crash_client import LEASE_S, RECV_WINDOW_MS, Lab
from tests.faults.crash_judging import Ledger
from tests.faults.crash_lab import Batch, Case, Outcome, point_of
from tests.faults.crash_points import Who
from tests.faults.entered import BOUGHT
from tests.trading.world import PRICE, SYMBOL
from trading import gateway
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.models import Account

TOUCHED_AT = {Side.LONG: Decimal(58_000), Side.SHORT: Decimal(62_000)}
# Of the owner's, beside each long: without it the exchange itself would refuse a second sale.
COLLATERAL = "1"
# What was left behind waits for its lease; then come look-ups, all of them in one process, on a busy machine.
LONGEST_S = LEASE_S + 40.0
SETTINGS = {
    # Long enough for a look-up before the fence, however busy the machine.
    "fence far away": {"BACKEND_TIMEOUT_MS": 60_000},
    # Long enough for it to be accepted, however late.
    "order very late": {"ORDER_RECV_WINDOW_MS": 60_000},
}
ORDER = {"path": "margin/order", "method": "POST", "count": 1}
TROUBLES: Mapping[str, Mapping[str, Any]] = {
    "answer lost": {"kind": "timeout_after_accept", **ORDER},
    "order lost": {"kind": "timeout_before_accept", **ORDER},
    "fence far away": {"kind": "timeout_before_accept", **ORDER},
    "order late": {"kind": "late_accept", "delay_ms": RECV_WINDOW_MS // 2, **ORDER},
    "order too late": {"kind": "late_accept", "delay_ms": RECV_WINDOW_MS + 500, **ORDER},
    "order very late": {"kind": "late_accept", "delay_ms": 4_000, **ORDER},
    "refused": {"kind": "error_code", "code": -1013, **ORDER},
    "slow balances": {"kind": "latency_ms", "ms": RECV_WINDOW_MS * 2 // 5, "path": "isolated/account"},
    "partly filled": {"kind": "partial_fill", "ratio": "0.5", "count": 1},
}
GONE = "already gone"


@dataclass(frozen=True, slots=True)
class Plan:
    """One cell of the matrix: who exits which side, and at which points it is killed, one for each life."""

    who: Who
    side: Side
    kills: tuple[str, ...]
    trouble: str = ""

    def __str__(self) -> str:
        return f"{self.who}: {', '.join(self.kills)}"

    @property
    def troubles(self) -> set[str]:
        return {self.trouble, *(point_of(kill, self.who).trouble for kill in self.kills)}


@dataclass(frozen=True, slots=True)
class Cell:
    """A plan with an open position whose stop will be touched. `row` is the position's id, or the guard's."""

    plan: Plan
    name: str
    account: Account
    row: int


class Rehearsal:
    """Sets cells up, lets the lab run them, and judges what became of them."""

    def __init__(self, control: Control, lab: Lab, marks: Path) -> None:
        self.control, self._lab, self._marks = control, lab, marks

    def problems(
        self, plans: Sequence[Plan], successor: Literal["itself", "others"] = "itself", without: str = ""
    ) -> dict[str, list[str]]:
        """Run these cells, all of one side. What is wrong with which of them; nothing at all is `{}`."""
        self.control.price(SYMBOL, PRICE)
        cells = [self._open(f"cell-{number}", plan) for number, plan in enumerate(plans)]
        self.control.price(SYMBOL, TOUCHED_AT[plans[0].side])
        for cell in cells:
            self._spoil(cell)
        environment = {name: value for cell in cells for name, value in environment_of(cell.name).items()}
        cases = [self._case(cell) for cell in cells]
        outcome = self._lab.run(Batch(cases, successor, without, environment))
        ledger = Ledger.of(self.control)
        found = {str(cell.plan): list(_judged(cell, outcome, ledger)) for cell in cells}
        found["afterwards"] = list(crash_judging.of_successors(outcome, LONGEST_S))
        return {name: problems for name, problems in found.items() if problems}

    def _open(self, name: str, plan: Plan) -> Cell:
        key, secret = environment_of(name)
        account = factories.account(name, api_key_env=key, api_secret_env=secret)
        os.environ |= environment_of(name)
        self.control.call("POST", "account", {"api_key": name, "secret": name})
        order = self.control.trade(plan.side.entry_order, BOUGHT, symbol=SYMBOL, api_key=name)
        if plan.who == "safety_net":
            return Cell(plan, name, account, _guard(account, plan.side))
        position = entered.position(SYMBOL, plan.side, of=account, order_id=order["order_id"])
        return Cell(plan, name, account, position.pk)

    def _spoil(self, cell: Cell) -> None:
        """The trouble of a cell, and the coins that a second sale could take."""
        troubles = cell.plan.troubles
        if GONE in troubles:
            self.control.trade(cell.plan.side.exit_order, "all", symbol=SYMBOL, api_key=cell.name)
        elif cell.plan.side is Side.LONG:
            balances = {SYMBOL: {"BTC": COLLATERAL}}
            body = {"api_key": cell.name, "secret": cell.name, "balances": balances}
            self.control.call("POST", "account", body)
        for name in troubles & TROUBLES.keys():
            fault = dict(TROUBLES[name])
            self.control.fault(fault.pop("kind"), api_key=cell.name, **fault)

    def _case(self, cell: Cell) -> Case:
        return Case(
            name=cell.name,
            who=cell.plan.who,
            account_id=cell.account.pk,
            row=cell.row,
            kills=list(cell.plan.kills),
            mark=str(self._marks / cell.name),
            settings={k: v for name in cell.plan.troubles for k, v in SETTINGS.get(name, {}).items()},
        )


def environment_of(name: str) -> dict[str, str]:
    """The variables of an account's key and secret, in this order."""
    variable = name.upper().replace("-", "_")
    return {f"{variable}_KEY": name, f"{variable}_SECRET": name}


def _guard(account: Account, side: Side) -> int:
    """The owner's, found by a poll; its stop has been touched."""
    exchange = gateway.exchange_for(account)
    assert services.poll(account, gateway.desk_for(account)).opened == 1
    exchange.close()
    guard = GuardedPosition.objects.get(slot__account=account)
    guarding.remember_touch(guard, TOUCHED_AT[side], gateway.utc_now())
    return guard.pk


def _judged(cell: Cell, outcome: Outcome, ledger: Ledger) -> Iterator[str]:
    yield from crash_judging.of_lives(outcome, cell.name, len(cell.plan.kills))
    yield from ledger.problems(cell.name)
    yield from crash_judging.of_record(cell.account, ledger.executed(cell.name, cell.plan.side))
    if cell.plan.who == "safety_net":
        yield from crash_judging.of_guard(cell.row)
    else:
        yield from crash_judging.of_position(cell.row, PositionState.ACTIVE)
