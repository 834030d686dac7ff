"""Binance's error answers: a code, a message to the letter, and an HTTP status.

Messages follow Binance's published error tables for spot and margin (2025 to 2026).
"""

from collections.abc import Iterable


class BinanceError(Exception):
    """An answer `{"code": code, "msg": msg}` with an HTTP status; `retry_after` in seconds."""

    def __init__(self, code: int, msg: str, status: int = 400, *, retry_after: int | None = None) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.status = status
        self.retry_after = retry_after

    def body(self) -> dict[str, int | str]:
        """The JSON body of the answer."""
        return {"code": self.code, "msg": self.msg}


INSUFFICIENT_BALANCE = "Account has insufficient balance for requested action."


def unknown_error() -> BinanceError:
    return BinanceError(-1000, "An unknown error occurred while processing the request.", 500)


def too_many_requests(limit: int, *, unit: str, retry_after: int) -> BinanceError:
    text = (
        f"Too much request weight used; current limit is {limit} request weight per 1 {unit}. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return BinanceError(-1003, text, 429, retry_after=retry_after)


def banned(until_ms: int, *, retry_after: int) -> BinanceError:
    text = (
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    return BinanceError(-1003, text, 418, retry_after=retry_after)


def filter_failure(name: str) -> BinanceError:
    return BinanceError(-1013, f"Filter failure: {name}")


def not_supported(what: str) -> BinanceError:
    return BinanceError(-1013, f"{what} are not supported for this symbol.")


def market_closed() -> BinanceError:
    return BinanceError(-1013, "Market is closed.")


def unsupported_combination() -> BinanceError:
    return BinanceError(-1014, "Unsupported order combination.")


def outside_window() -> BinanceError:
    return BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")


def ahead_of_server() -> BinanceError:
    return BinanceError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def bad_signature() -> BinanceError:
    return BinanceError(-1022, "Signature for this request is not valid.")


def illegal_characters(name: str, legal: str) -> BinanceError:
    return BinanceError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def duplicate_values() -> BinanceError:
    return BinanceError(-1101, "Duplicate values for a parameter detected.")


def missing(name: str) -> BinanceError:
    return BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def either_missing(first: str, second: str) -> BinanceError:
    return BinanceError(-1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!")


def unread(read: Iterable[str], sent: Iterable[str]) -> BinanceError:
    wanted, got = len(list(read)), len(list(sent))
    text = f"Not all sent parameters were read; read '{wanted}' parameter(s) but was sent '{got}'."
    return BinanceError(-1104, text)


def empty(name: str) -> BinanceError:
    return BinanceError(-1105, f"Parameter '{name}' was empty.")


def not_required(name: str) -> BinanceError:
    return BinanceError(-1106, f"Parameter '{name}' sent when not required.")


def overflow(name: str) -> BinanceError:
    return BinanceError(-1108, f"Parameter '{name}' overflowed.")


def too_precise(name: str) -> BinanceError:
    return BinanceError(-1111, f"Parameter '{name}' has too much precision.")


def invalid_symbol() -> BinanceError:
    return BinanceError(-1121, "Invalid symbol.")


def lookup_too_long(hours: int) -> BinanceError:
    return BinanceError(-1127, f"More than {hours} hours between startTime and endTime.")


def invalid_data(name: str) -> BinanceError:
    return BinanceError(-1130, f"Data sent for parameter '{name}' is not valid.")


def window_too_large() -> BinanceError:
    return BinanceError(-1131, "recvWindow must be less than 60000.")


def invalid_listen_token() -> BinanceError:
    return BinanceError(-1209, "The listenToken is invalid.")


def rejected(msg: str) -> BinanceError:
    """The matching engine refused a new order."""
    return BinanceError(-2010, msg)


def insufficient_balance() -> BinanceError:
    return rejected(INSUFFICIENT_BALANCE)


def unknown_order() -> BinanceError:
    """A cancel found no open order: it may have filled."""
    return BinanceError(-2011, "Unknown order sent.")


def no_such_order() -> BinanceError:
    return BinanceError(-2013, "Order does not exist.")


def malformed_key() -> BinanceError:
    return BinanceError(-2014, "API-key format invalid.", 401)


def rejected_key() -> BinanceError:
    return BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def no_cross_account() -> BinanceError:
    return BinanceError(-3003, "Margin account does not exist.")


def borrow_exceeds_maximum() -> BinanceError:
    return BinanceError(-3006, "Your borrow amount has exceed maximum borrow amount.")


def repay_exceeds_debt() -> BinanceError:
    return BinanceError(-3015, "Repay amount exceeds borrow amount.")


def pair_not_allowed() -> BinanceError:
    return BinanceError(-3021, "Margin account are not allowed to trade this trading pair.")


def not_a_margin_asset() -> BinanceError:
    return BinanceError(-3027, "Not a valid margin asset.")


def not_a_margin_pair() -> BinanceError:
    return BinanceError(-3028, "Not a valid margin pair.")


def balance_not_enough() -> BinanceError:
    return BinanceError(-3041, "Balance is not enough.")


def no_isolated_account() -> BinanceError:
    return BinanceError(-11001, "Isolated margin account does not exist.")
