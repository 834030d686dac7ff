"""Symbol rules, asked for once and kept for a while."""

from collections.abc import Callable, Iterable

from trading.domain.types import SymbolRules
from trading.exchange.errors import ExchangeError, Refused


class RulesCache:
    """Rules by symbol, each at most `max_age_ms` old unless the exchange cannot be asked."""

    def __init__(self, max_age_ms: int = 3_600_000) -> None:
        self._max_age_ms = max_age_ms
        self._known: dict[str, tuple[int, SymbolRules]] = {}

    def get(self, symbol: str, now_ms: int, ask: Callable[[str], SymbolRules]) -> SymbolRules:
        """Raises whatever `ask` raises for a symbol that was never known, and `Refused` always."""
        known = self._known.get(symbol)
        if known is not None and self._is_fresh(known[0], now_ms):
            return known[1]
        try:
            rules = ask(symbol)
        except Refused:
            raise
        except ExchangeError:
            # An exit must not wait for a list of filters that hardly ever changes.
            if known is None:
                raise
            return known[1]
        self.put(rules, now_ms)
        return rules

    def put(self, rules: SymbolRules, now_ms: int) -> None:
        self._known[rules.symbol] = (now_ms, rules)

    def missing(self, symbols: Iterable[str], now_ms: int) -> list[str]:
        """Those of the symbols whose rules would have to be asked for."""
        fresh = {name for name, (asked_ms, _) in self._known.items() if self._is_fresh(asked_ms, now_ms)}
        return sorted(set(symbols) - fresh)

    def _is_fresh(self, asked_ms: int, now_ms: int) -> bool:
        return 0 <= now_ms - asked_ms < self._max_age_ms
