"""Rules: the owner's own hands, time, and everything that breaks outside of Robson."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from safetynet import services as safety
from safetynet.models import Exemption
from tests.model.base import Machine
from tests.model.troubles import Mishap, Trouble
from tests.model.world import SYMBOL
from trading.domain.types import Side
from trading.models import Slot

QUANTITIES = st.sampled_from(["0.01", "0.00757", "0.002", "0.03", "0.0001", "all"])
WAITS = st.sampled_from([0.3, 1, 4, 14, 21, 45, 4_000])
TROUBLES = st.builds(
    Trouble, st.sampled_from(Mishap), st.sampled_from([200, 2_500, 3_500]), st.sampled_from([0, 900, 9_000])
)


class OwnerRules(Machine):
    """What the owner does in the exchange's app, and with the Safety Net."""

    @precondition(lambda machine: machine.world.may_trade_by_hand())
    @rule(side=st.sampled_from(["BUY", "SELL"]), quantity=QUANTITIES)
    def owner_trades(self, side: str, quantity: str) -> None:
        self.world.by_hand(side, quantity)

    @precondition(lambda machine: machine.world.may_trade_by_hand())
    @rule(deposits=st.booleans())
    def owner_ties_up_coins(self, deposits: bool) -> None:
        if not deposits:
            self.world.rest("SELL", "0.004", self.world.price * 2)
        elif self.world.bridge.held(SYMBOL) >= 0 and not self.world.core_owns_something():
            self.world.deposit_base("0.005")

    @rule(side=st.sampled_from(Side), ends=st.booleans())
    def owner_exempts(self, side: Side, ends: bool) -> None:
        slot, now = Slot.of(self.world.account, SYMBOL, side), self.world.clock.now()
        if not ends:
            until = now + timedelta(seconds=40)
            safety.exempt(slot=slot, until=until, reason="model", by="owner", at=now)
            return
        for exemption in Exemption.objects.filter(slot=slot):
            safety.end_exemption(exemption=exemption, by="owner", at=now)


class TroubleRules(Machine):
    """Time, the exchange, Redis."""

    @rule(seconds=WAITS)
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(trouble=TROUBLES)
    def next_order_goes_wrong(self, trouble: Trouble) -> None:
        self.world.bridge.troubles.orders.append(trouble)

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
