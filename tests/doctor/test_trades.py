"""What the doctor says about risk, orders, ownership and protection."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from robson.doctor import trades
from safetynet import exclusions
from tests import factories
from tests.doctor.support import FAILED, OK, WARNING, bad, verdicts
from trading import queries
from trading.domain.lifecycle import IntentState

pytestmark = pytest.mark.django_db


def test_usual_settings_are_fine() -> None:
    factories.account()
    assert verdicts(trades.accounts) == {"risk:main": OK, "fees": OK}


def test_without_an_account_nothing_is_guarded() -> None:
    factories.account("off", active=False)
    assert bad(trades.accounts).verdict == FAILED


def test_much_risk_is_a_warning() -> None:
    factories.account(risk_percent=Decimal(5))
    found = bad(trades.accounts)
    assert (found.name, found.verdict) == ("risk:main", WARNING)


def test_two_accounts_with_the_same_key_are_a_failure() -> None:
    factories.account("main")
    factories.account("again")
    found = bad(trades.accounts)
    assert (found.verdict, found.detail) == (FAILED, "several accounts use BINANCE_API_KEY")


@pytest.mark.parametrize("rate", ["0", "0.1"])
def test_a_fee_that_nobody_pays_is_a_warning(settings: Settings, rate: str) -> None:
    factories.account()
    settings.FEE_RATE = Decimal(rate)
    assert bad(trades.accounts).name == "fees"


def test_an_order_that_has_just_been_sent_is_no_trouble() -> None:
    factories.intent(factories.slot())
    assert verdicts(trades.orders) == {"orders": OK}


def test_an_order_whose_outcome_stays_unclear_is_a_failure() -> None:
    long_ago = timezone.now() - timedelta(minutes=2)
    factories.intent(
        factories.slot(),
        state=IntentState.UNKNOWN,
        created_at=long_ago,
        last_error="no answer from the exchange",
    )
    found = bad(trades.orders)
    assert found.verdict == FAILED
    assert "1 of them unclear" in found.detail
    assert "no answer from the exchange" in found.detail


def test_an_exclusion_set_that_differs_is_a_warning_until_it_is_rebuilt() -> None:
    position = factories.core_position()
    found = bad(trades.exclusion_sets)
    assert (found.verdict, str(position.slot.key) in found.detail) == (WARNING, True)
    exclusions.rebuild("main", queries.core_holdings(factories.account()))
    assert verdicts(trades.exclusion_sets) == {"exclusion set:main": OK}


def test_a_position_without_protection_is_a_failure() -> None:
    factories.core_position()
    found = bad(trades.protection)
    assert found.verdict == FAILED
    assert "BTCUSDT long of main: the consumer has never worked" in found.detail
    factories.everything_works()
    assert verdicts(trades.protection) == {"protection": OK}


def test_an_order_from_before_the_clock_was_set_back_is_a_failure() -> None:
    factories.intent(factories.slot(), created_at=timezone.now() + timedelta(hours=1))
    assert bad(trades.orders).verdict == FAILED
