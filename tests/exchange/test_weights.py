import pytest

from trading.exchange.weights import Budget, used_weights

ACCOUNT = "/sapi/v1/margin/isolated/account"
TRADES = "/sapi/v1/margin/myTrades"
PRICE = "/api/v3/ticker/price"
MINUTE = 1_700_000_040_000
NOW = MINUTE + 20_000
IP, UID, API = "X-SAPI-USED-IP-WEIGHT-1M", "X-SAPI-USED-UID-WEIGHT-1M", "X-MBX-USED-WEIGHT-1M"


def test_nothing_known_is_nothing_to_wait_for() -> None:
    assert Budget().wait_s(ACCOUNT, NOW, 0.8) == 0


@pytest.mark.parametrize(("used", "waits"), [("9599", False), ("9600", True), ("13000", True)])
def test_a_query_waits_for_the_next_minute_once_its_share_is_spent(used: str, waits: bool) -> None:
    budget = Budget().observed(ACCOUNT, {IP: used}, NOW)

    assert budget.wait_s(ACCOUNT, NOW, 0.8) == (40 if waits else 0)


def test_the_whole_budget_is_there_for_whoever_executes_exits() -> None:
    budget = Budget().observed(ACCOUNT, {IP: "11999"}, NOW)

    assert budget.wait_s(ACCOUNT, NOW, 1.0) == 0


def test_a_new_minute_is_a_new_budget() -> None:
    budget = Budget().observed(ACCOUNT, {IP: "12000"}, NOW)

    assert budget.wait_s(ACCOUNT, MINUTE + 60_000, 0.8) == 0


def test_margin_endpoints_have_budgets_of_their_own() -> None:
    budget = Budget().observed(ACCOUNT, {IP: "12000"}, NOW)

    assert budget.wait_s(TRADES, NOW, 0.8) == 0
    assert budget.wait_s(PRICE, NOW, 0.8) == 0


def test_public_endpoints_share_one_budget_apart_from_margin_s() -> None:
    budget = Budget().observed("/api/v3/klines", {API: "4800"}, NOW)

    assert budget.wait_s(PRICE, NOW, 0.8) == 40
    assert budget.wait_s(ACCOUNT, NOW, 0.8) == 0


def test_the_account_s_weight_counts_like_the_address_s() -> None:
    budget = Budget().observed(ACCOUNT, {IP: "10", UID: "170000"}, NOW)

    assert budget.wait_s(ACCOUNT, NOW, 0.8) == 40


def test_a_later_answer_replaces_an_earlier_one() -> None:
    budget = Budget().observed(ACCOUNT, {IP: "12000"}, NOW).observed(ACCOUNT, {IP: "10"}, NOW + 1)

    assert budget.wait_s(ACCOUNT, NOW + 1, 0.8) == 0


def test_told_to_stay_away_everything_waits_until_then() -> None:
    budget = Budget().quieted(NOW + 5_000).quieted(NOW + 2_000)

    assert budget.wait_s(ACCOUNT, NOW, 1.0) == 5
    assert budget.wait_s(PRICE, NOW, 1.0) == 5
    assert budget.wait_s(PRICE, NOW + 5_000, 1.0) == 0


@pytest.mark.parametrize("value", ["", "-1", "many", "1.5", "٣"])
def test_a_header_that_is_no_number_says_nothing(value: str) -> None:
    assert used_weights({API: value}) == {}
