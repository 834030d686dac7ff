import pytest

from trading.domain import pair_search
from trading.domain.types import ListedPair

PAIRS = [
    ListedPair(f"{base}{quote}", base, quote)
    for base, quote in [
        ("WBTC", "USDT"), ("BTCDOM", "USDT"), ("BTC", "USDT"), ("BTC", "FDUSD"), ("ETH", "BTC"),
        ("ETH", "USDT"),
    ]
]  # fmt: skip


def symbols(text: str, most: int = 10) -> list[str]:
    return [pair.symbol for pair in pair_search.find(PAIRS, text, most=most)]


def test_an_asset_finds_its_own_pairs_first_then_what_begins_so_then_what_contains_it() -> None:
    assert symbols("btc") == ["BTCUSDT", "BTCFDUSD", "BTCDOMUSDT", "ETHBTC", "WBTCUSDT"]


def test_a_whole_symbol_comes_before_everything_that_contains_it() -> None:
    assert symbols("ETHBTC")[0] == "ETHBTC"


@pytest.mark.parametrize("text", [" eth/usdt ", "eth-usdt", "EthUsdt"])
def test_spelling_does_not_matter(text: str) -> None:
    assert symbols(text) == ["ETHUSDT"]


def test_no_more_are_given_than_wanted_and_none_for_nonsense() -> None:
    assert len(symbols("", most=2)) == 2
    assert symbols("XYZ") == []
