"""What the doctor says about hosts, clocks and keys, with a real exchange process."""

import time

import pytest
from pytest_django.fixtures import Settings

from robson.doctor import exchange
from robson.doctor.examination import examine
from robson.doctor.findings import Check
from robson.local.simulator import SimulatorProcess
from tests import factories
from tests.doctor.support import FAILED, OK, SKIPPED, WARNING, bad, verdicts
from tests.trading.support import trade_on

pytestmark = pytest.mark.django_db(transaction=True)
DAY_MS = 86_400_000
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def simulated(
    simulator: SimulatorProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> SimulatorProcess:
    trade_on(simulator, settings, monkeypatch)
    return simulator


def permit(simulated: SimulatorProcess, **may: object) -> None:
    simulated.control.call("POST", "account", {"api_key": "demo-key", "secret": "demo-secret", **may})


def away(settings: Settings) -> None:
    sockets = dict.fromkeys(settings.BINANCE, "ws://127.0.0.1:9")
    settings.BINANCE = {**sockets, "BINANCE_API_URL": NOWHERE, "BINANCE_FAPI_URL": NOWHERE}


def test_an_exchange_that_answers_is_found_well() -> None:
    assert verdicts(exchange.hosts) == {"hosts": OK}
    assert verdicts(exchange.rest) == {"exchange": OK, "clock": OK}
    assert verdicts(exchange.market_stream) == {"market stream": OK}
    assert verdicts(exchange.user_data) == {"user data": OK}
    assert verdicts(exchange.hedge_mode) == {"hedge mode": SKIPPED}


@pytest.mark.parametrize(("skew_ms", "verdict"), [(600, WARNING), (-600, WARNING), (3_000, FAILED)])
def test_a_clock_apart_from_the_exchange_is_told(
    simulated: SimulatorProcess, skew_ms: int, verdict: str
) -> None:
    simulated.control.fault("clock_skew_ms", ms=skew_ms)
    found = bad(exchange.rest)
    assert (found.name, found.verdict) == ("clock", verdict)
    assert ("behind" if skew_ms > 0 else "ahead of") in found.detail
    assert "NTP" in found.advice


def test_an_exchange_that_is_away_is_a_failure_in_each_way_to_it(settings: Settings) -> None:
    away(settings)
    assert "BINANCE_API_URL" in bad(exchange.rest).advice
    assert "BINANCE_STREAM_URL" in bad(exchange.market_stream).advice
    assert "BINANCE_WS_API_URL" in bad(exchange.user_data).advice


def test_a_mix_of_hosts_is_one_failure_and_no_host_is_asked(settings: Settings) -> None:
    settings.BINANCE = {**settings.BINANCE, "BINANCE_STREAM_URL": "wss://stream.binance.com:9443"}
    found = examine([one for one in exchange.CHECKS if one.name != "keys"], told=lambda *_: None)
    assert [one.name for one in found if one.verdict == FAILED] == ["hosts"]
    assert {one.verdict for one in found if one.name != "hosts"} == {SKIPPED}


def test_a_good_key_may_trade_and_not_withdraw() -> None:
    factories.account()
    assert verdicts(exchange.keys) == {"keys:main": OK}
    assert verdicts(exchange.permissions) == {"permissions:main": OK}


def test_a_key_that_may_withdraw_is_a_failure_that_says_so_loudly(simulated: SimulatorProcess) -> None:
    factories.account()
    permit(simulated, can_withdraw=True)
    found = bad(exchange.permissions)
    assert found.verdict == FAILED
    assert "WITHDRAW" in found.detail
    assert found.advice.startswith("Switch withdrawals off")


@pytest.mark.parametrize(
    ("permission", "what"),
    [("can_read", "reading"), ("can_trade", "trading"), ("can_borrow", "loans and repayments")],
)
def test_a_key_that_may_not_do_what_exits_need_is_a_failure(
    simulated: SimulatorProcess, permission: str, what: str
) -> None:
    factories.account()
    permit(simulated, **{permission: False})
    found = bad(exchange.permissions)
    assert (found.verdict, what in found.detail) == (FAILED, True)


@pytest.mark.parametrize(
    ("may", "advice"),
    [
        ({"can_transfer": True}, "Switch transfers"),
        ({"ip_restricted": False}, "Bind the key"),
        ({"trades_until_ms": int(time.time() * 1000) + 3 * DAY_MS}, "Prolong"),
    ],
)
def test_a_key_that_is_less_safe_than_it_could_be_is_a_warning(
    simulated: SimulatorProcess, may: dict[str, object], advice: str
) -> None:
    factories.account()
    permit(simulated, **may)
    found = bad(exchange.permissions)
    assert (found.verdict, found.advice.startswith(advice)) == (WARNING, True)


def test_a_key_that_trades_for_long_is_fine(simulated: SimulatorProcess) -> None:
    factories.account()
    permit(simulated, trades_until_ms=int(time.time() * 1000) + 60 * DAY_MS)
    assert verdicts(exchange.permissions) == {"permissions:main": OK}


def test_a_key_that_the_exchange_refuses_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.account()
    monkeypatch.setenv("BINANCE_API_KEY", "somebody-elses")
    assert bad(exchange.permissions).verdict == FAILED


def test_a_secret_that_does_not_fit_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.account()
    monkeypatch.setenv("BINANCE_API_SECRET", "another")
    (found,) = examine([Check("permissions", exchange.permissions)], told=lambda *_: None)
    assert found.verdict == FAILED
    assert "signature" in found.detail.lower()


def test_missing_keys_are_named_for_each_account(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.account()
    factories.account("second", api_key_env="SECOND_KEY", api_secret_env="SECOND_SECRET")
    found = bad(exchange.keys)
    assert (found.name, found.detail) == ("keys:second", "SECOND_KEY and SECOND_SECRET not set")
    assert verdicts(exchange.permissions) == {"permissions:main": OK, "permissions:second": SKIPPED}


def test_before_there_is_an_account_the_keys_of_the_first_are_looked_at() -> None:
    assert verdicts(exchange.permissions) == {"permissions:main": OK}
