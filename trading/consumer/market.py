"""What watches the market: one call per price or candle, no I/O. All prices of a symbol come through here,
whatever their source, so that a stop is the same stop however its price arrived."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter

from trading.consumer.watched import EntryWatch, StopWatch, SymbolState
from trading.domain.crossover import Signal
from trading.domain.trailing import TrailingStop, is_touched, on_price
from trading.domain.types import Candle, Tick
from trading.services import Progress

ZERO = Decimal(0)

OnStop = Callable[[StopWatch, Tick], None]
OnSignal = Callable[[EntryWatch, Signal], None]
OnGap = Callable[[EntryWatch], None]


class Market:
    """All watched symbols."""

    def __init__(self, *, on_stop: OnStop, on_signal: OnSignal, on_gap: OnGap) -> None:
        """`on_gap`: a candle was missed; the watch is off until it is added again with its history."""
        self._on_stop = on_stop
        self._on_gap = on_gap
        self._on_signal = on_signal
        self.symbols: dict[str, SymbolState] = {}

    def on_tick(self, tick: Tick) -> None:
        """One price. Without a watch, not above zero, older than the last one or seen already, it is dropped.

        While one connection takes over from another, both deliver every trade.
        """
        state = self.symbols.get(tick.symbol)
        if state is None or tick.price <= ZERO:
            return
        if state.unloaded:
            self._check_unloaded(state, tick)
        if state.behind:
            state.held_back.append(tick)
            self._check(state, tick)
            return
        last = state.last
        if last is not None and _is_past(tick, last):
            state.dropped += 1
            return
        state.last = tick
        if state.loading:
            state.held_back.append(tick)
        for key in state.book.on_price(tick.price, tick.time_ms):
            watch = state.stops[key]
            watch.stop = state.book[key]
            self._on_stop(watch, tick)

    def on_candle(self, candle: Candle) -> None:
        state = self.symbols.get(candle.symbol)
        if state is None or not candle.closed:
            return
        for watch in list(state.entries):
            if watch.detector.interval != candle.interval:
                continue
            self._show(watch, candle)
            if watch.detector.gap:
                state.entries.remove(watch)
                self._on_gap(watch)

    def _show(self, watch: EntryWatch, candle: Candle) -> None:
        signal = watch.detector.on_candle(candle)
        if signal is not None:
            self._on_signal(watch, signal)

    def expect(self, symbol: str) -> None:
        """A watch of this symbol is being loaded: keep its prices until `loaded`."""
        self.symbols.setdefault(symbol, SymbolState(symbol)).loading += 1

    def stand(self, watch: StopWatch) -> None:
        """Its past may take long to be asked for: until `add_stop`, a price that touches it as saved acts.

        Said again at each try, it still acts once.
        """
        state = self.symbols[watch.position.slot.symbol]
        before = state.unloaded.get(watch.key)
        if watch.key not in state.stops and not (before and before.stop.fired):
            state.unloaded[watch.key] = watch

    def _check_unloaded(self, state: SymbolState, tick: Tick) -> None:
        for watch in state.unloaded.values():
            if _touches(watch.stop, tick):
                watch.stop = replace(watch.stop, fired=True)
                self._on_stop(watch, tick)

    def add_stop(self, watch: StopWatch, replayed: Iterable[Tick] = ()) -> None:
        """Begin to watch: what happened meanwhile, and what came in while that was asked, by their time.

        One that is watched already keeps its peak, should what is `replayed` not have it yet.
        """
        state = self.symbols[watch.position.slot.symbol]
        unloaded = state.unloaded.pop(watch.key, None)
        if unloaded is not None and unloaded.stop.fired:
            return
        peak = state.book[watch.key].extreme if watch.key in state.book else None
        if watch.key in state.stops:
            state.forget(state.stops[watch.key])
        state.stops[watch.key] = watch
        for tick in sorted([*replayed, *state.held_back], key=attrgetter("time_ms")):
            step = on_price(watch.stop, tick.price, tick.time_ms)
            watch.stop = step.next
            if step.fired:
                self._on_stop(watch, tick)
                return
        state.book.add(watch.key, watch.stop)
        state.tighten(watch.key, peak)
        if state.behind:
            state.standing[watch.key] = state.book[watch.key]

    def add_entry(self, watch: EntryWatch, history: Iterable[Candle] = ()) -> None:
        """Begin to watch, with the closed candles so far."""
        self.symbols[watch.position.slot.symbol].entries.append(watch)
        for candle in history:
            self._show(watch, candle)

    def loaded(self, symbol: str) -> None:
        """The counterpart of `expect`, also when the loading failed."""
        state = self.symbols[symbol]
        state.loading -= 1
        # While behind they are kept for the other stops, which have not seen them.
        if not state.loading and not state.behind:
            state.held_back.clear()

    def keep_only(self, position_ids: set[int]) -> None:
        """Forget watches of positions that need none any more, and symbols that nothing watches."""
        for state in list(self.symbols.values()):
            for watch in list(state.stops.values()):
                if watch.position.pk not in position_ids:
                    state.forget(watch)
            state.give_up_gap()
            state.unloaded = {k: w for k, w in state.unloaded.items() if w.position.pk in position_ids}
            state.entries = [watch for watch in state.entries if watch.position.pk in position_ids]
            if not (state.stops or state.entries or state.loading):
                del self.symbols[state.symbol]

    def take_progress(self) -> list[Progress]:
        """What has moved since the last call, over all stops.

        Not where an answer is owed: who begins anew from what is saved must ask for the same gap.
        """
        told = (state for state in self.symbols.values() if not state.standing)
        found = (watch.progress() for state in told for watch in state.look())
        return [progress for progress in found if progress is not None]

    def fall_behind(self) -> dict[str, int]:
        """Prices may have been missed: until `catch_up`, new ones touch stops and do not raise them.

        Returns the symbols with the exchange's time (ms) of the last price before that, those still behind
        included. Where an earlier answer is still owed, that is the last price before the earlier gap.
        """
        return {state.symbol: state.fall_behind() for state in self.symbols.values() if state.stops}

    def _check(self, state: SymbolState, tick: Tick) -> None:
        """Whatever was missed can only have tightened a stop: a price that touches it is not held back."""
        for watch in list(state.look()):
            if _touches(watch.stop, tick):
                self._fire(state, watch.key, replace(watch.stop, fired=True), tick)

    def _fire(self, state: SymbolState, key: str, stop: TrailingStop, tick: Tick) -> None:
        state.standing.pop(key, None)
        watch = state.stops.get(key)
        if watch is None or key not in state.book or state.book[key].fired:
            return
        state.book.remove(key)
        watch.stop = stop
        self._on_stop(watch, tick)

    def catch_up(self, symbol: str, missed: Iterable[Tick], *, whole: bool = True) -> None:
        """First what was missed, oldest first, then what was held back meanwhile.

        `missed` begins where `fall_behind` said. It may come late, after newer prices have counted. Unless it
        is the `whole` of what was missed, the rest is still owed: nothing is held back any more, and the next
        answer, also after another `fall_behind`, has to begin there again.
        """
        state = self.symbols.get(symbol)
        if state is None or not (state.behind or state.standing):
            return
        held_back: list[Tick] = []
        if state.behind:
            state.behind, held_back, state.held_back = False, state.held_back, []
        past, newer = _split(missed, state.last)
        self._make_up(state, past)
        if whole:
            state.standing = {}
        for tick in [*newer, *held_back]:
            self.on_tick(tick)

    def _make_up(self, state: SymbolState, past: list[Tick]) -> None:
        """For what is older than prices that have counted: a touched stop fires, a better peak is kept."""
        for key, stop in list(state.standing.items()):
            for tick in past:
                step = on_price(stop, tick.price, tick.time_ms)
                stop = step.next  # noqa: PLW2901  # the stop as it went through these prices
                if step.fired:
                    self._fire(state, key, stop, tick)
                    break
            else:
                state.tighten(key, stop.extreme)

    def streams(self) -> list[str]:
        """The Binance streams that feed what is watched, what matters most first.

        Prices feed stops and come before candles, which only feed entries.
        """
        states = sorted(self.symbols.values(), key=lambda state: (not state.holds, state.symbol))
        candles = {
            f"{state.symbol.lower()}@kline_{watch.detector.interval}"
            for state in states
            for watch in state.entries
        }
        return [*(f"{state.symbol.lower()}@trade" for state in states), *sorted(candles)]


def _touches(stop: TrailingStop, tick: Tick) -> bool:
    """Whether a price reaches a stop that stands as it is, for the first time."""
    fresh = not stop.fired and tick.time_ms > stop.last_time_ms
    return fresh and stop.stop is not None and is_touched(stop.side, stop.stop, tick.price)


def _is_past(tick: Tick, last: Tick) -> bool:
    """Older than `last`; within one millisecond, trades are told apart by their ids."""
    if tick.time_ms != last.time_ms:
        return tick.time_ms < last.time_ms
    return 0 < tick.trade_id <= last.trade_id


def _split(ticks: Iterable[Tick], last: Tick | None) -> tuple[list[Tick], list[Tick]]:
    """Those older than the last price that counted, and the others."""
    past: list[Tick] = []
    newer: list[Tick] = []
    for tick in ticks:
        (past if last is not None and _is_past(tick, last) else newer).append(tick)
    return past, newer
