"""Core's consumer without sockets and threads: the real market and verbs, in a memory that can be lost."""

from collections.abc import Iterable
from contextlib import suppress

from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError

from trading import execution, gateway, queries, readahead, services
from trading.consumer import loading
from trading.consumer.market import Market
from trading.consumer.watched import StopWatch
from trading.domain.lifecycle import LIVE_INTENT_STATES, PositionState
from trading.domain.types import Tick
from trading.models import Account, Heartbeat, Position
from trading.tasks import execute_intent
from trading.watchdog import CONSUMER


class Consumer:
    """What one run of the consumer knows. A new one starts from the database and the exchange."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._market = Market(on_stop=self._touched, on_signal=lambda *_: None, on_gap=lambda *_: None)
        self._fired: dict[int, tuple[StopWatch, Tick]] = {}
        self._watched: set[int] = set()

    def on_price(self, tick: Tick) -> None:
        """A price of the stream: stops are touched or raised at once, in memory."""
        self._market.on_tick(tick)

    def work(self) -> None:
        """What it does at a touch, and every second. Raises ExchangeError and DatabaseError: then again."""
        self._exit_what_fired()
        positions = queries.managed_positions(self._account)
        self._watch(positions)
        self._exit_what_fired()
        self._pursue(positions)
        self._persist()
        Heartbeat.objects.filter(name=CONSUMER).update(at=gateway.utc_now())

    def _watch(self, positions: Iterable[Position]) -> None:
        """Watch what is Active, first with the prices since its extreme."""
        active = {p.pk: p for p in positions if p.state == PositionState.ACTIVE}
        self._market.keep_only({p.pk for p in positions})
        self._watched &= active.keys()
        for key in active.keys() - self._watched:
            self._load(active[key])

    def _load(self, position: Position) -> None:
        symbol = position.slot.symbol
        self._market.expect(symbol)
        try:
            self._market.add_stop(*loading.load_stop(position))
            self._watched.add(position.pk)
        finally:
            self._market.loaded(symbol)

    def _persist(self) -> None:
        batch = self._market.take_progress()
        if batch:
            services.save_progress(batch=batch, at=gateway.utc_now())

    def _touched(self, watch: StopWatch, tick: Tick) -> None:
        self._fired.setdefault(watch.position.pk, (watch, tick))

    def _exit_what_fired(self) -> None:
        for key, (watch, tick) in list(self._fired.items()):
            if self._exit(watch, tick):
                self._fired.pop(key, None)

    def _exit(self, watch: StopWatch, tick: Tick) -> bool:
        """Whether this stop has nothing left to claim: its position is on its way out, or gone."""
        position, account = watch.position, watch.position.slot.account
        intent = services.exit_now(
            position=position,
            reason="trailing stop",
            desk=gateway.desk_for(account),
            trigger_price=tick.price,
            stop=watch.stop,
            begin_read=lambda: readahead.begin(account, tick.symbol),
        )
        if intent is not None and intent.state in LIVE_INTENT_STATES:
            with suppress(BrokerError):
                execute_intent.apply_async((intent.pk,), countdown=settings.INTENT_LEASE_S + 1)
        return intent is not None or position.state != PositionState.ACTIVE

    def _pursue(self, positions: Iterable[Position]) -> None:
        """Work on whatever is under way, its own or begun by others."""
        for position in positions:
            if position.state in {PositionState.ENTERING, PositionState.EXITING}:
                live = queries.live_intent_id(position)
                if live is not None:
                    execution.execute(live, gateway.desk_for(self._account))
