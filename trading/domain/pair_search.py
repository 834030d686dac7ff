"""Which pairs a few typed letters mean. Pure."""

from collections.abc import Iterable

from trading.domain.types import ListedPair


def find(pairs: Iterable[ListedPair], text: str, *, most: int) -> list[ListedPair]:
    """The pairs that contain `text`, the likeliest first: named so, beginning so, then anywhere.

    Within these, the shortest name comes first: BTCUSDT is meant rather than BTCDOMUSDT.
    """
    wanted = text.strip().upper().replace("/", "").replace("-", "")
    found = [pair for pair in pairs if wanted in pair.symbol]
    found.sort(key=lambda pair: (_rank(pair, wanted), len(pair.symbol), pair.symbol))
    return found[:most]


def _rank(pair: ListedPair, wanted: str) -> int:
    if pair.symbol == wanted:
        return 0
    if pair.base_asset == wanted:
        return 1
    return 2 if pair.symbol.startswith(wanted) else 3
