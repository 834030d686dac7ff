"""Scripts: JSON lines such as `{"at": 1.5, "symbol": "BTCUSDT", "price": "60000"}`.

`at` is in seconds from the start of the feed, `price` in quote currency. One may add `quantity` in base and
`buyer_is_maker`, and leave `symbol` out where only one was asked for. Blank lines and lines that start with a
`#` are skipped.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulator.market.ticks import FeedError, Tick, positive

_KEYS = {"at", "symbol", "price", "quantity", "buyer_is_maker"}


def is_script(path: Path) -> bool:
    """Whether a file is a script, by its ending."""
    return path.suffix in {".jsonl", ".ndjson", ".script"}


def read_script(path: Path, symbols: Sequence[str]) -> list[Tick]:
    """All steps in order of time. Raises FeedError, naming file and line: a script is written by hand."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FeedError(f"{path}:1: cannot be read: {error}") from error
    steps = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            steps.append(_step(json.loads(line, parse_float=Decimal), symbols))
        except (ValueError, ArithmeticError) as error:
            raise FeedError(f"{path}:{number}: {error}") from error
    if not steps:
        raise FeedError(f"{path}:1: the script has no steps")
    return sorted(steps, key=lambda step: step.at_us)


def _step(entry: Any, symbols: Sequence[str]) -> Tick:
    if not isinstance(entry, dict) or not {"at", "price"} <= entry.keys() <= _KEYS:
        raise ValueError(f"expected an object with at, price and perhaps {', '.join(sorted(_KEYS))}")
    symbol = entry.get("symbol", symbols[0] if len(symbols) == 1 else None)
    if not isinstance(symbol, str):
        raise ValueError("whose price is this? Add a symbol")
    at = entry["at"]
    if isinstance(at, bool) or not isinstance(at, int | Decimal) or not 0 <= at < 10**9:
        raise ValueError(f"at must be a number of seconds from zero on, not {at!r}")
    quantity = positive(entry["quantity"]) if "quantity" in entry else None
    price = positive(entry["price"])
    return Tick(symbol, price, int(at * 1_000_000), quantity, bool(entry.get("buyer_is_maker", False)))
