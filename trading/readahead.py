"""Reads an exit's balance while its claim is committed, in a thread with a connection of its own."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from trading import gateway
from trading.domain.types import MarginPair
from trading.exchange.calls import whole_budget
from trading.models import Account
from trading.planning import pair_of


def begin(account: Account, symbol: str) -> Callable[[], MarginPair]:
    """Start to read the pair and the symbol's rules. The answer waits; it may raise ExchangeError."""
    return _reader(os.getpid()).submit(_read, account, symbol).result


@cache
def _reader(_process: int) -> ThreadPoolExecutor:
    # One that came with a fork has no thread: whoever asked it would wait for ever.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="readahead")


@whole_budget()
def _read(account: Account, symbol: str) -> MarginPair:
    exchange = gateway.exchange_for(account)
    exchange.symbol_rules(symbol)
    return pair_of(exchange, symbol)
