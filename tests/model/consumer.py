"""Core's consumer without its sockets and threads: the real market, the real verbs, memory that can be lost."""

from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError

from trading import execution, gateway, queries, readahead, services
from trading.consumer import loading
from trading.consumer.market import Market, StopWatch
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

    def sync(self) -> None:
        """Watch what is Active, with the prices since its extreme. Raises ExchangeError."""
        positions = queries.managed_positions(self._account)
        active = {p.pk: p for p in positions if p.state == PositionState.ACTIVE}
        self._market.keep_only({p.pk for p in positions})
        self._watched &= active.keys()
        for key in active.keys() - self._watched:
            self._load(active[key])
        Heartbeat.objects.update_or_create(name=CONSUMER, defaults={"at": gateway.utc_now()})

    def _load(self, position: Position) -> None:
        symbol = position.slot.symbol
        self._market.expect(symbol)
        try:
            self._market.add_stop(*loading.load_stop(position))
            self._watched.add(position.pk)
        finally:
            self._market.loaded(symbol)

    def on_price(self, symbol: str, price: Decimal, time_ms: int) -> None:
        """A price of the stream."""
        self._market.on_tick(Tick(symbol, price, time_ms))

    def persist(self) -> None:
        """Save how far the stops have come."""
        batch = self._market.take_progress()
        if batch:
            services.save_progress(batch=batch, at=gateway.utc_now())

    def work(self) -> None:
        """What it does every second, and whenever a stop is touched."""
        self.pursue()
        self.sync()
        self.pursue()
        self.persist()

    def pursue(self) -> None:
        """See every stop that has fired through, as far as it goes now, and what was begun before."""
        for key, (watch, tick) in list(self._fired.items()):
            if self._exit(watch, tick):
                del self._fired[key]
        for position in queries.managed_positions(self._account):
            live = queries.live_intent_id(position)
            if live is not None:
                execution.execute(live, gateway.desk_for(self._account))

    def _touched(self, watch: StopWatch, tick: Tick) -> None:
        self._fired.setdefault(watch.position.pk, (watch, tick))

    def _exit(self, watch: StopWatch, tick: Tick) -> bool:
        """Whether the position is on its way out or gone, so that this stop has nothing left to do."""
        position, account = watch.position, watch.position.slot.account
        desk = gateway.desk_for(account)
        intent = services.exit_now(
            position=position,
            reason="trailing stop",
            desk=desk,
            trigger_price=tick.price,
            stop=watch.stop,
            begin_read=lambda: readahead.begin(account, tick.symbol),
        )
        if intent is not None and intent.state in LIVE_INTENT_STATES:
            try:
                execute_intent.apply_async((intent.pk,), countdown=settings.INTENT_LEASE_S + 1)
            except BrokerError:
                pass
        live = queries.live_intent_id(position)
        if live is None:
            return position.state != PositionState.ACTIVE
        execution.execute(live, desk)
        return queries.live_intent_id(position) is None


def heartbeat_age_limit() -> timedelta:
    """From here on the consumer counts as silent."""
    return timedelta(seconds=settings.CONSUMER_SILENT_S)
