"""Every signal that Binance is known to give, and what may be concluded from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.types import Venue
from trading.exchange.classify import TABLE, Signal, from_answer
from trading.exchange.errors import ExchangeError, OutcomeUnknown, Refused, RetryLater, StopAndPage

FUTURES = Venue.USDM_FUTURES
BUSY = "Service Unavailable."

ROWS: list[tuple[type[ExchangeError], Signal]] = [
    (StopAndPage, Signal(418, -1003, "Way too much request weight used; IP banned until 1700000000000.")),
    (StopAndPage, Signal(403, 0, "<html>403 Forbidden</html>")),
    (StopAndPage, Signal(403, -1003, "", "POST")),
    (StopAndPage, Signal(451, 0, "Service unavailable from a restricted location")),
    (StopAndPage, Signal(401, -2015, "Invalid API-key, IP, or permissions for action.", "POST")),
    (StopAndPage, Signal(401, 0, "", "POST")),
    (StopAndPage, Signal(400, -1022, "Signature for this request is not valid.", "POST")),
    (StopAndPage, Signal(400, -2014, "API-key format invalid.")),
    (StopAndPage, Signal(400, -2008, "Invalid Api-Key ID.")),
    (StopAndPage, Signal(400, -1002, "You are not authorized to execute this request.")),
    (RetryLater, Signal(429, -1003, "Too much request weight used", "POST")),
    (RetryLater, Signal(400, -1003, "Too many requests queued.", "POST")),
    (RetryLater, Signal(429, -1015, "Too many new orders.", "POST")),
    (RetryLater, Signal(400, -1015, "Too many new orders.", "POST")),
    (RetryLater, Signal(400, -3007, "You have pending transaction, please try again later.", "POST")),
    (RetryLater, Signal(503, 0, BUSY, "POST", FUTURES)),
    (RetryLater, Signal(503, -1008, "Server is currently overloaded", "POST", FUTURES)),
    (
        OutcomeUnknown,
        Signal(503, 0, "Unknown error, please check your request or try again later.", "POST", FUTURES),
    ),
    (OutcomeUnknown, Signal(503, 0, BUSY, "POST")),
    (OutcomeUnknown, Signal(503, -1008, "Spot server is currently overloaded", "POST")),
    (OutcomeUnknown, Signal(400, -1008, "Spot server is currently overloaded", "POST")),
    (OutcomeUnknown, Signal(500, -1000, "An unknown error occurred while processing the request.", "POST")),
    (OutcomeUnknown, Signal(400, -1000, "An unknown error occurred while processing the request.", "POST")),
    (OutcomeUnknown, Signal(400, -1001, "Internal error; unable to process your request.", "POST")),
    (OutcomeUnknown, Signal(400, -1004, "Server is busy, please wait and try again", "POST")),
    (OutcomeUnknown, Signal(400, -1006, "Execution status unknown.", "POST")),
    (OutcomeUnknown, Signal(408, -1007, "Timeout waiting for response from backend server.", "POST")),
    (OutcomeUnknown, Signal(400, -1007, "Timeout waiting for response from backend server.", "POST")),
    (OutcomeUnknown, Signal(400, -1016, "This service is no longer available.", "POST")),
    (OutcomeUnknown, Signal(400, -3000, "Internal server error.", "POST")),
    (OutcomeUnknown, Signal(502, 0, "<html>Bad Gateway</html>", "POST")),
    (OutcomeUnknown, Signal(504, -1021, "a refusal from a gateway that failed proves nothing", "POST")),
    (OutcomeUnknown, Signal(302, 0, "", "POST")),
    (OutcomeUnknown, Signal(404, 0, "<html>Not Found</html>", "POST")),
    (OutcomeUnknown, Signal(400, 0, "", "DELETE")),
    (OutcomeUnknown, Signal(400, -2010, "Duplicate order sent.", "POST")),
    (OutcomeUnknown, Signal(400, -1013, "Duplicate order sent.", "POST")),
    (OutcomeUnknown, Signal(400, -4116, "ClientOrderId is duplicated.", "POST", FUTURES)),
    (Refused, Signal(400, -1013, "Filter failure: LOT_SIZE", "POST")),
    (Refused, Signal(400, -1021, "Timestamp for this request is outside of the recvWindow.", "POST")),
    (Refused, Signal(400, -1100, "Illegal characters found in parameter 'quantity'", "POST")),
    (Refused, Signal(400, -1111, "Precision is over the maximum defined for this asset.", "POST")),
    (Refused, Signal(400, -1121, "Invalid symbol.")),
    (Refused, Signal(400, -2010, "Account has insufficient balance for requested action.", "POST")),
    (Refused, Signal(400, -2011, "Unknown order sent.", "DELETE")),
    (Refused, Signal(400, -2013, "Order does not exist.")),
    (Refused, Signal(400, -2019, "Margin is insufficient.", "POST", FUTURES)),
    (Refused, Signal(400, -2021, "Order would immediately trigger.", "POST", FUTURES)),
    (Refused, Signal(400, -2022, "ReduceOnly Order is rejected.", "POST", FUTURES)),
    (Refused, Signal(400, -4118, "ReduceOnly Order Failed.", "POST", FUTURES)),
    (Refused, Signal(400, -4164, "Order's notional must be no smaller than 5", "POST", FUTURES)),
    (Refused, Signal(400, -3006, "Your borrow amount has exceed maximum borrow amount.", "POST")),
    (Refused, Signal(404, 0, "<html>Not Found</html>", "GET")),
]


@pytest.mark.parametrize(("expected", "signal"), ROWS, ids=lambda value: str(value)[:60])
def test_a_signal_means(expected: type[ExchangeError], signal: Signal) -> None:
    error = from_answer(signal, {})

    assert type(error) is expected
    assert (error.code, error.http_status) == (signal.code, signal.http_status)
    assert error.message


def test_every_row_of_the_table_is_needed_by_some_known_signal() -> None:
    deciding = {next(row for row in TABLE if row.fits(signal)) for _, signal in ROWS}

    assert deciding == set(TABLE)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(429, -1003, RetryLater), (418, -1003, StopAndPage), (403, 0, StopAndPage)],
)
def test_retry_after_is_taken_from_the_answer(status: int, code: int, expected: type[ExchangeError]) -> None:
    error = from_answer(Signal(status, code, "wait"), {"Retry-After": "37"})

    assert isinstance(error, RetryLater | StopAndPage)
    assert type(error) is expected
    assert error.after_s == 37


@pytest.mark.parametrize("text", ["", "-5", "soon", "NaN", "inf", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9"])
def test_an_unusable_retry_after_falls_back_to_a_wait_of_our_own(text: str) -> None:
    error = from_answer(Signal(429, -1003, "wait"), {"Retry-After": text})

    assert isinstance(error, RetryLater)
    assert error.after_s == 10


@given(
    status=st.integers(300, 599),
    code=st.integers(-9999, 0),
    message=st.text(max_size=20),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    venue=st.sampled_from(Venue),
)
def test_every_error_answer_has_exactly_one_meaning(
    status: int, code: int, message: str, method: str, venue: Venue
) -> None:
    error = from_answer(Signal(status, code, message, method, venue), {})

    assert type(error) in {Refused, OutcomeUnknown, RetryLater, StopAndPage}


@given(status=st.integers(500, 599), code=st.integers(-9999, 0), message=st.text(max_size=20))
def test_a_failing_server_never_proves_that_a_margin_order_was_refused(
    status: int, code: int, message: str
) -> None:
    assert type(from_answer(Signal(status, code, message, "POST"), {})) is OutcomeUnknown
