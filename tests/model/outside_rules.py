"""Rules: the owner's own hands, time, and everything that breaks outside of Robson."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from safetynet import services as safety
from safetynet.models import Exemption
from tests.model.base import Machine
from tests.model.world import SYMBOL, World
from trading.domain.types import Side
from trading.models import Slot

QUANTITIES = st.sampled_from(["0.01", "0.00757", "0.002", "0.03", "0.0001", "all"])
WAITS = st.sampled_from([0.3, 1, 4, 14, 21, 45, 4_000])


def leaves_an_order(world: World, _side: Side) -> None:
    """A limit order far away locks coins."""
    if world.may_trade_by_hand():
        world.rest("SELL", "0.004", world.price * 2)


def brings_collateral(world: World, _side: Side) -> None:
    """Coins that no trade explains. Into a short they would repay a part of it, which no trade tells."""
    if world.bridge.held(SYMBOL) >= 0 and world.may_trade_by_hand():
        world.deposit_base("0.005")


def exempts(world: World, side: Side) -> None:
    """The Safety Net is to leave one side alone for a while."""
    slot, now = Slot.of(world.account, SYMBOL, side), world.clock.now()
    safety.exempt(slot=slot, until=now + timedelta(seconds=40), reason="model", by="owner", at=now)


def ends_exemptions(world: World, _side: Side) -> None:
    for exemption in Exemption.objects.filter(slot__account=world.account):
        safety.end_exemption(exemption=exemption, by="owner", at=world.clock.now())


Deed = Callable[[World, Side], None]
DEEDS: list[Deed] = [leaves_an_order, brings_collateral, exempts, ends_exemptions]


class OwnerRules(Machine):
    """What the owner does in the exchange's app, and with the Safety Net."""

    @precondition(lambda machine: machine.world.may_trade_by_hand())
    @rule(side=st.sampled_from(["BUY", "SELL"]), quantity=QUANTITIES)
    def owner_trades(self, side: str, quantity: str) -> None:
        self.world.by_hand(side, quantity)

    @rule(deed=st.sampled_from(DEEDS), side=st.sampled_from(Side))
    def owner_does_something_else(self, deed: Deed, side: Side) -> None:
        deed(self.world, side)


class TroubleRules(Machine):
    """Time, the exchange, Redis."""

    @rule(seconds=WAITS)
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(silent=st.integers(0, 3), lag_ms=st.sampled_from([0, 1_000, 9_000]), late=st.booleans())
    def exchange_is_slow(self, silent: int, lag_ms: int, late: bool) -> None:
        self.world.bridge.troubles.silent = silent
        self.world.bridge.troubles.lag_ms = lag_ms
        self.world.reads_late = late

    @rule(away=st.booleans())
    def redis_goes_or_comes_back_empty(self, away: bool) -> None:
        self.stage.redis_is_away(away)
        if not away:
            self.stage.empty_redis()
