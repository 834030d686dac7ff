"""Asking whether the exchange can be worked with: permissions of a key, clock, sockets."""

import pytest

from robson.local.simulator import DEMO_KEY, DEMO_SECRET, SimulatorProcess
from trading.exchange.endpoints import Endpoints
from trading.exchange.errors import BadAnswer, NotSent, StopAndPage
from trading.exchange.probe import Probe, handshake_s, key_permissions

TOLD = {
    "ipRestrict": True,
    "createTime": 1_698_645_219_000,
    "enableReading": True,
    "enableSpotAndMarginTrading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableMargin": True,
    "enableFutures": False,
    "permitsUniversalTransfer": False,
    "enableVanillaOptions": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": False,
    "enablePortfolioMarginTrading": False,
}


def probe(simulator: SimulatorProcess, **keys: str) -> Probe:
    endpoints = Endpoints.from_values(simulator.environment())
    return Probe(endpoints, **{"api_key": DEMO_KEY, "api_secret": DEMO_SECRET, **keys})


def test_permissions_are_read_from_the_exchange(simulator: SimulatorProcess) -> None:
    account = {"api_key": DEMO_KEY, "secret": DEMO_SECRET}
    simulator.control.call("POST", "account", {**account, "can_withdraw": True, "ip_restricted": False})
    found = probe(simulator).permissions()
    assert (found.reading, found.trading, found.borrowing) == (True, True, True)
    assert (found.withdrawals, found.transfers, found.bound_to_addresses) == (True, False, False)


def test_permissions_are_read_although_our_clock_is_wrong(simulator: SimulatorProcess) -> None:
    simulator.control.fault("clock_skew_ms", ms=60_000)
    assert probe(simulator).permissions().reading


def test_a_secret_that_does_not_fit_needs_a_person(simulator: SimulatorProcess) -> None:
    with pytest.raises(StopAndPage):
        probe(simulator, api_secret="another").permissions()


def test_each_kind_of_transfer_counts() -> None:
    assert not key_permissions(TOLD).transfers
    assert key_permissions({**TOLD, "enableInternalTransfer": True}).transfers
    assert key_permissions({**TOLD, "permitsUniversalTransfer": True}).transfers


def test_an_expiry_is_told_by_some_keys_only() -> None:
    assert key_permissions(TOLD).expires_ms is None
    told = {**TOLD, "tradingAuthorityExpirationTime": 1_790_000_000_000}
    assert key_permissions(told).expires_ms == 1_790_000_000_000


@pytest.mark.parametrize("name", ["enableWithdrawals", "enableMargin", "ipRestrict", "enableReading"])
def test_what_is_not_told_is_not_taken_for_a_no(name: str) -> None:
    with pytest.raises(BadAnswer, match=name):
        key_permissions({key: value for key, value in TOLD.items() if key != name})


def test_the_clock_is_read_with_its_round_trip(simulator: SimulatorProcess) -> None:
    simulator.control.fault("clock_skew_ms", ms=5_000)
    reading = probe(simulator).clock()
    assert abs(reading.ahead_ms - 5_000) < 500
    assert 0 < reading.round_trip_s < 2


def test_an_exchange_that_is_away_was_not_asked() -> None:
    hosts = dict.fromkeys(("BINANCE_API_URL", "BINANCE_FAPI_URL"), "http://127.0.0.1:9")
    with pytest.raises(NotSent):
        Probe(Endpoints.from_values(hosts)).clock()


def test_a_socket_stands_or_says_why_not(simulator: SimulatorProcess) -> None:
    assert handshake_s(f"{simulator.ws_url}/stream", within_s=5) < 5
    with pytest.raises(OSError, match="refused"):
        handshake_s("ws://127.0.0.1:9/stream", within_s=5)
