"""The account itself: isolated pairs, loans, permissions, and what clients ask on the way in."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from simulator import errors, params, views
from simulator.accounts import Pair
from simulator.ledger import ZERO
from simulator.rest.gateway import Call, Endpoint
from simulator.symbols import fixed
from simulator.tokens import LONGEST_MS
from simulator.weights import Cost

MOST_SYMBOLS = 5
_BITCOIN = "BTCUSDT"


def _isolated_account(call: Call) -> Any:
    wanted = params.text(call.params, "symbols")
    if wanted is None:
        symbols = list(call.exchange.accounts[call.api_key].pairs)
    else:
        symbols = wanted.split(",")
        if len(symbols) > MOST_SYMBOLS:
            raise errors.invalid_data("symbols")
    pairs = [call.exchange.pair(call.api_key, symbol) for symbol in symbols]
    answer: dict[str, Any] = {"assets": [_entry(call, pair) for pair in pairs]}
    if wanted is None:
        answer |= _totals(call, pairs)
    return answer


def _price(call: Call, pair: Pair) -> Decimal:
    return call.exchange.board.last_price(pair.info.symbol) or pair.info.reference_price


def _in_btc(call: Call) -> Decimal:
    """One unit of the common quote currency, in BTC."""
    price = call.exchange.board.last_price(_BITCOIN)
    return 1 / price if price else ZERO


def _entry(call: Call, pair: Pair) -> views.Json:
    price, quote_in_btc = _price(call, pair), _in_btc(call)
    return views.isolated(pair, price, price * quote_in_btc, quote_in_btc)


def _totals(call: Call, pairs: list[Pair]) -> dict[str, str]:
    rate = _in_btc(call)
    total = sum((pair.total(_price(call, pair)) for pair in pairs), ZERO) * rate
    debt = sum((pair.debt(_price(call, pair)) for pair in pairs), ZERO) * rate
    return {
        "totalAssetOfBtc": fixed(total),
        "totalLiabilityOfBtc": fixed(debt),
        "totalNetAssetOfBtc": fixed(total - debt),
    }


def _borrow_repay(call: Call) -> Any:
    if not call.exchange.accounts[call.api_key].can_borrow:
        raise errors.rejected_key()
    asset = params.required(call.params, "asset")
    if not params.flag(call.params, "isIsolated"):
        raise errors.no_cross_account()
    symbol = params.symbol(call.params)
    params.required(call.params, "amount")
    amount = params.positive(call.params, "amount") or ZERO
    kind = params.required(call.params, "type")
    if kind not in ("BORROW", "REPAY"):
        raise errors.invalid_data("type")
    act = call.exchange.borrow if kind == "BORROW" else call.exchange.repay
    return {"tranId": act(call.api_key, symbol, asset, amount)}


def _max_borrowable(call: Call) -> Any:
    asset = params.required(call.params, "asset")
    symbol = params.required(call.params, "isolatedSymbol")
    most = call.exchange.max_borrow(call.api_key, symbol, asset)
    return {"amount": fixed(most), "borrowLimit": fixed(most)}


def _listen_token(call: Call) -> Any:
    symbol = None
    if params.flag(call.params, "isIsolated"):
        symbol = params.symbol(call.params)
        call.exchange.pair(call.api_key, symbol)
    validity = params.integer(call.params, "validity")
    if validity is not None and not 0 < validity <= LONGEST_MS:
        raise errors.invalid_data("validity")
    now_ms = call.exchange.clock.now_ms()
    issued = call.desk.tokens.issue(call.api_key, symbol, validity_ms=validity or LONGEST_MS, now_ms=now_ms)
    return {"token": issued.token, "expirationTime": issued.expires_ms}


def _restrictions(call: Call) -> Any:
    account = call.exchange.accounts[call.api_key]
    answer = {
        "ipRestrict": account.ip_restricted,
        "createTime": account.created_ms,
        "enableReading": account.can_read,
        "enableSpotAndMarginTrading": account.can_trade,
        "enableWithdrawals": account.can_withdraw,
        "enableInternalTransfer": account.can_transfer,
        "enableMargin": account.can_borrow,
        "enableFutures": False,
        "permitsUniversalTransfer": account.can_transfer,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enablePortfolioMarginTrading": False,
    }
    if account.trades_until_ms is not None:
        answer["tradingAuthorityExpirationTime"] = account.trades_until_ms
    return answer


def _spot_account(call: Call) -> Any:
    """The spot wallet. Nothing is ever in it: all money of the simulator sits in isolated pairs."""
    account = call.exchange.accounts[call.api_key]
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": "0.00100000",
            "taker": "0.00100000",
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": account.can_trade,
        "canWithdraw": account.can_withdraw,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": account.created_ms,
        "accountType": "SPOT",
        "balances": [],
        "permissions": ["SPOT"],
        "uid": account.uid,
    }


def _signed(method: str, path: str, answer: Any, known: str, weight: int) -> Endpoint:
    cost = Cost(weight, "UID" if method == "POST" else "IP", f"{method} {path}")
    return Endpoint(method, path, answer, frozenset(known.split()), lambda _: cost)


def _with_key(method: str, path: str, answer: Any, known: str, weight: int) -> Endpoint:
    return replace(_signed(method, path, answer, known, weight), security="KEY")


ENDPOINTS = (
    _signed("GET", "/sapi/v1/margin/isolated/account", _isolated_account, "symbols", 10),
    _signed(
        "POST", "/sapi/v1/margin/borrow-repay", _borrow_repay, "asset isIsolated symbol amount type", 1_500
    ),
    _signed("GET", "/sapi/v1/margin/maxBorrowable", _max_borrowable, "asset isolatedSymbol", 50),
    _with_key("POST", "/sapi/v1/userListenToken", _listen_token, "symbol isIsolated validity", 1),
    _signed("GET", "/sapi/v1/account/apiRestrictions", _restrictions, "", 1),
    Endpoint(
        "GET", "/api/v3/account", _spot_account, frozenset({"omitZeroBalances"}), lambda _: Cost(20, "API")
    ),
)
