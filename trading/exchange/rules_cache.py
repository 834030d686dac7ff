"""Symbol rules, asked for once and kept for a while."""

from collections.abc import Callable

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
        if known is not None and 0 <= now_ms - known[0] < self._max_age_ms:
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
        self._known[symbol] = (now_ms, rules)
        return rules
