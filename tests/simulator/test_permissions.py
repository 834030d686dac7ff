"""What a key may do, as `apiRestrictions` tells it, and as other calls refuse it."""

from typing import Any

import pytest

from tests.simulator.support import BTC, KEY, SECRET, Server


def restrictions(server: Server) -> dict[str, Any]:
    answer = server.signed("GET", "/sapi/v1/account/apiRestrictions")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def permit(server: Server, **may: object) -> None:
    server.control("POST", "account", {"api_key": KEY, "secret": SECRET, **may})


def test_a_key_is_made_as_it_should_be(server: Server) -> None:
    told = restrictions(server)
    allowed = {name for name, value in told.items() if value is True}
    assert allowed == {"ipRestrict", "enableReading", "enableSpotAndMarginTrading", "enableMargin"}
    assert "tradingAuthorityExpirationTime" not in told


@pytest.mark.parametrize(
    ("permission", "fields"),
    [
        ("can_read", {"enableReading"}),
        ("can_trade", {"enableSpotAndMarginTrading"}),
        ("can_borrow", {"enableMargin"}),
        ("can_withdraw", {"enableWithdrawals"}),
        ("can_transfer", {"enableInternalTransfer", "permitsUniversalTransfer"}),
        ("ip_restricted", {"ipRestrict"}),
    ],
)
def test_each_permission_can_be_given_and_taken_by_itself(
    server: Server, permission: str, fields: set[str]
) -> None:
    before = restrictions(server)
    permit(server, **{permission: not before[next(iter(fields))]})
    after = restrictions(server)
    assert {name for name in before if before[name] != after[name]} == fields


def test_a_key_that_expires_says_when(server: Server) -> None:
    permit(server, ip_restricted=False, trades_until_ms=1_790_000_000_000)
    assert restrictions(server)["tradingAuthorityExpirationTime"] == 1_790_000_000_000


def test_a_key_without_margin_borrows_nothing(server: Server) -> None:
    permit(server, can_borrow=False)
    wish = {"asset": "USDT", "isIsolated": "TRUE", "symbol": BTC, "amount": "10", "type": "BORROW"}
    answer = server.signed("POST", "/sapi/v1/margin/borrow-repay", **wish)
    assert (answer.status_code, answer.json()["code"]) == (401, -2015)


def test_a_reset_gives_the_usual_permissions_back(server: Server) -> None:
    permit(server, can_withdraw=True)
    server.control("POST", "reset")
    assert restrictions(server)["enableWithdrawals"] is False


def test_permissions_need_a_signature(server: Server) -> None:
    answer = server.signed("GET", "/sapi/v1/account/apiRestrictions", secret="wrong")
    assert answer.json()["code"] == -1022
