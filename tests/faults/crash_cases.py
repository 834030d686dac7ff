"""The matrix from the test's side: positions to exit, the trouble beside, and the judgement at the end."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from robson.local.simulator import Control
from safetynet import guarding, services
from safetynet.models import GuardedPosition
from tests import factories
from tests.faults import crash_judging
from tests.faults.crash_client import LEASE_S, RECV_WINDOW_MS, Lab
from tests.faults.crash_lab import Case, Outcome, point_of
from tests.faults.crash_points import Who
from tests.trading.world import PRICE, SYMBOL, signal_for
from trading import entry, gateway
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.models import Account

TOUCHED_AT = {Side.LONG: Decimal(58_000), Side.SHORT: Decimal(62_000)}
# Of the owner's, beside each long: without it the exchange itself would refuse a second sale.
COLLATERAL = "1"
BY_HAND = "0.01"
# An exit that was left behind waits for its lease; then come look-ups, on a machine that has others to serve.
LONGEST_S = LEASE_S + 20.0
SETTINGS = {
    # Long enough for a look-up before the fence, however busy the machine.
    "order lost": {"BACKEND_TIMEOUT_MS": 4_000},
    # Long enough for it to be accepted, however late.
    "order very late": {"ORDER_RECV_WINDOW_MS": 60_000},
}
ORDER = {"path": "margin/order", "method": "POST", "count": 1}
TROUBLES: Mapping[str, Mapping[str, Any]] = {
    "answer lost": {"kind": "timeout_after_accept", **ORDER},
    "order lost": {"kind": "timeout_before_accept", **ORDER},
    "order late": {"kind": "late_accept", "delay_ms": RECV_WINDOW_MS // 2, **ORDER},
    "order too late": {"kind": "late_accept", "delay_ms": RECV_WINDOW_MS + 500, **ORDER},
    "order very late": {"kind": "late_accept", "delay_ms": 4_000, **ORDER},
    "refused": {"kind": "error_code", "code": -1013, **ORDER},
    "partly filled": {"kind": "partial_fill", "ratio": "0.5", "count": 1},
}
GONE = "already gone"


@dataclass(frozen=True, slots=True)
class Plan:
    """One cell of the matrix: who exits which side, and at which points it is killed, one for each life."""

    who: Who
    side: Side
    kills: tuple[str, ...]
    successor: str = "itself"
    without: str = ""
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
    number: int
    account: Account
    row: int

    @property
    def api_key(self) -> str:
        return f"key-{self.number}"


class Rehearsal:
    """Sets cells up, lets the lab run them, and judges what became of them."""

    def __init__(self, control: Control, lab: Lab, marks: Path) -> None:
        self._control, self._lab, self._marks = control, lab, marks

    def problems(self, plans: Sequence[Plan]) -> dict[str, list[str]]:
        """Run these cells, all of one side, at the same time. What is wrong with which of them."""
        self._control.price(SYMBOL, PRICE)
        cells = [self._open(number, plan) for number, plan in enumerate(plans)]
        self._control.price(SYMBOL, TOUCHED_AT[plans[0].side])
        for cell in cells:
            self._spoil(cell)
        outcomes = self._lab.run(self._case(cell) for cell in cells)
        found = {str(cell.plan): list(self._judged(cell, outcomes[str(cell.number)])) for cell in cells}
        return {name: problems for name, problems in found.items() if problems}

    def violations(self) -> dict[str, set[str]]:
        """The kinds of violation on the exchange's ledger, by API key."""
        found: dict[str, set[str]] = {}
        for one in self._control.ledger()["violations"]:
            found.setdefault(one["api_key"], set()).add(one["kind"])
        return found

    def _open(self, number: int, plan: Plan) -> Cell:
        names = {"api_key_env": f"CRASH_KEY_{number}", "api_secret_env": f"CRASH_SECRET_{number}"}
        account = factories.account(f"cell-{number}", **names)
        os.environ |= environment_of(number)
        self._control.call("POST", "account", {"api_key": f"key-{number}", "secret": "secret"})
        opened = self._guard if plan.who == "safety_net" else self._position
        cell = Cell(plan, number, account, opened(number, account, plan.side))
        gateway.exchange_for(account).close()
        return cell

    def _position(self, number: int, account: Account, side: Side) -> int:
        position = factories.core_position(side=side, state=PositionState.ARMED, of=account)
        assert entry.enter(position=position, signal=signal_for(position), desk=gateway.desk_for(account))
        return position.pk

    def _guard(self, number: int, account: Account, side: Side) -> int:
        self._control.trade(side.entry_order, BY_HAND, symbol=SYMBOL, api_key=f"key-{number}")
        assert services.poll(account, gateway.desk_for(account)).opened == 1
        guard = GuardedPosition.objects.get(slot__account=account)
        guarding.remember_touch(guard, TOUCHED_AT[side])
        return guard.pk

    def _spoil(self, cell: Cell) -> None:
        """The trouble of a cell, and the coins that a second sale could take."""
        troubles = cell.plan.troubles
        if GONE in troubles:
            self._control.trade(cell.plan.side.exit_order, "all", symbol=SYMBOL, api_key=cell.api_key)
        elif cell.plan.side is Side.LONG:
            balances = {SYMBOL: {"BTC": COLLATERAL}}
            body = {"api_key": cell.api_key, "secret": "secret", "balances": balances}
            self._control.call("POST", "account", body)
        for name in troubles & TROUBLES.keys():
            fault = dict(TROUBLES[name])
            self._control.fault(fault.pop("kind"), api_key=cell.api_key, **fault)

    def _case(self, cell: Cell) -> Case:
        return Case(
            name=str(cell.number),
            who=cell.plan.who,
            account_id=cell.account.pk,
            row=cell.row,
            kills=list(cell.plan.kills),
            successor=cell.plan.successor,
            mark=str(self._marks / str(cell.number)),
            without=cell.plan.without,
            environment=environment_of(cell.number),
            settings={k: v for name in cell.plan.troubles for k, v in SETTINGS.get(name, {}).items()},
        )

    def _judged(self, cell: Cell, outcome: Outcome) -> Iterator[str]:
        exchange = crash_judging.Exchange(self._control, cell.api_key)
        yield from crash_judging.of_lives(outcome, len(cell.plan.kills))
        yield from crash_judging.of_time(outcome, LONGEST_S)
        yield from exchange.problems()
        yield from crash_judging.of_record(cell.account, exchange.executed(cell.plan.side))
        if cell.plan.who == "safety_net":
            yield from crash_judging.of_guard(cell.row)
        else:
            yield from crash_judging.of_position(cell.row)


def environment_of(number: int) -> dict[str, str]:
    return {f"CRASH_KEY_{number}": f"key-{number}", f"CRASH_SECRET_{number}": "secret"}
