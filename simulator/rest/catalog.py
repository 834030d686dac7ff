"""Lists of pairs and assets that margin clients load before they trade."""

from typing import Any

from simulator import errors, params
from simulator.rest.gateway import Call, Endpoint, Security, fixed_cost
from simulator.symbols import SymbolInfo


def _margin_pairs(call: Call) -> list[SymbolInfo]:
    return [info for info in call.exchange.catalog.values() if info.margin_allowed]


def _all_pairs(call: Call) -> Any:
    return [
        {
            "base": info.base,
            "id": 351_637_150_141_315_861 + number,
            "isBuyAllowed": True,
            "isMarginTrade": True,
            "isSellAllowed": True,
            "quote": info.quote,
            "symbol": info.symbol,
        }
        for number, info in enumerate(_margin_pairs(call))
    ]


def _isolated_pairs(call: Call) -> Any:
    wanted = params.text(call.params, "symbol")
    return [_isolated_pair(info) for info in _margin_pairs(call) if wanted in (None, info.symbol)]


def _isolated_pair(info: SymbolInfo) -> dict[str, Any]:
    return {
        "symbol": info.symbol,
        "base": info.base,
        "quote": info.quote,
        "isMarginTrade": True,
        "isBuyAllowed": True,
        "isSellAllowed": True,
    }


def _assets(call: Call) -> dict[str, None]:
    pairs = _margin_pairs(call)
    return dict.fromkeys([*(info.base for info in pairs), *(info.quote for info in pairs)])


def _all_assets(call: Call) -> Any:
    wanted = params.text(call.params, "asset")
    return [
        {
            "assetFullName": asset,
            "assetName": asset,
            "isBorrowable": True,
            "isMortgageable": True,
            "userMinBorrow": "0.00000000",
            "userMinRepay": "0.00000000",
        }
        for asset in _assets(call)
        if wanted in (None, asset)
    ]


def _coins(call: Call) -> Any:
    """`capital/config/getall`: every coin, none of which can be deposited or withdrawn here."""
    return [
        {
            "coin": asset,
            "depositAllEnable": False,
            "withdrawAllEnable": False,
            "name": asset,
            "free": "0",
            "locked": "0",
            "freeze": "0",
            "withdrawing": "0",
            "ipoing": "0",
            "ipoable": "0",
            "storage": "0",
            "isLegalMoney": False,
            "trading": True,
            "networkList": [],
        }
        for asset in _assets(call)
    ]


def _system_status(_: Call) -> Any:
    return {"status": 0, "msg": "normal"}


def _price_index(call: Call) -> Any:
    symbol = params.symbol(call.params)
    price = call.exchange.board.last_price(symbol)
    if price is None:
        raise errors.invalid_symbol()
    return {"calcTime": call.exchange.clock.now_ms(), "price": f"{price:.8f}", "symbol": symbol}


def _get(path: str, answer: Any, known: str, weight: int, security: Security) -> Endpoint:
    full = f"/sapi/v1/{path}"
    return Endpoint("GET", full, answer, frozenset(known.split()), fixed_cost(weight, "IP", full), security)


ENDPOINTS = (
    _get("margin/allPairs", _all_pairs, "symbol", 1, "KEY"),
    _get("margin/isolated/allPairs", _isolated_pairs, "symbol", 10, "KEY"),
    _get("margin/allAssets", _all_assets, "asset", 1, "KEY"),
    _get("margin/priceIndex", _price_index, "symbol", 10, "KEY"),
    _get("capital/config/getall", _coins, "", 10, "SIGNED"),
    _get("system/status", _system_status, "", 1, "NONE"),
)
