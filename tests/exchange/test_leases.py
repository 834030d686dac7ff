from hypothesis import given
from hypothesis import strategies as st

from trading.exchange.leases import GiveUp, Leases, Subscribe, Unsubscribe, Wait
from trading.exchange.parsing import ListenToken

HOUR = 3_600_000


def subscribed(leases: Leases, symbol: str, *, now_ms: int = 0, number: int = 7, for_ms: int = HOUR) -> None:
    leases.asked("r", symbol, ListenToken("t", now_ms + for_ms), now_ms)
    leases.granted("r", number)


def test_a_wanted_pair_is_subscribed_at_once() -> None:
    leases = Leases()
    leases.want(["BTCUSDT"])

    assert leases.next_step(0) == Subscribe("BTCUSDT")
    assert not leases.settled


def test_nothing_wanted_is_nothing_to_do() -> None:
    assert Leases().next_step(0) == Wait(None)


def test_one_request_is_under_way_at_a_time() -> None:
    leases = Leases()
    leases.want(["BTCUSDT", "ETHUSDT"])
    leases.asked("r", "BTCUSDT", ListenToken("t", HOUR), 0)

    assert leases.next_step(1) == Wait(10_000)
    leases.granted("r", 1)
    assert leases.next_step(2) == Subscribe("ETHUSDT")


def test_an_overdue_answer_gives_the_connection_up() -> None:
    leases = Leases()
    leases.want(["BTCUSDT"])
    leases.asked("r", "BTCUSDT", ListenToken("t", HOUR), 0)

    assert leases.next_step(10_000) == GiveUp()


def test_a_subscription_is_renewed_before_it_runs_out() -> None:
    leases = Leases()
    leases.want(["BTCUSDT"])
    subscribed(leases, "BTCUSDT")

    assert leases.settled
    assert leases.next_step(1) == Wait(HOUR * 4 // 5)
    assert leases.next_step(HOUR * 4 // 5) == Subscribe("BTCUSDT")


def test_a_renewal_keeps_events_flowing_whatever_its_number() -> None:
    leases = Leases()
    leases.want(["BTCUSDT"])
    subscribed(leases, "BTCUSDT", number=7)
    subscribed(leases, "BTCUSDT", now_ms=HOUR // 2, number=8)

    assert leases.symbol_of(8) == "BTCUSDT"
    assert leases.symbol_of(7) is None


def test_a_terminated_subscription_is_made_again() -> None:
    leases = Leases()
    leases.want(["BTCUSDT"])
    subscribed(leases, "BTCUSDT")

    leases.ended("BTCUSDT")

    assert leases.next_step(1) == Subscribe("BTCUSDT")


def test_what_is_no_longer_wanted_is_given_back() -> None:
    leases = Leases()
    leases.want(["BTCUSDT"])
    subscribed(leases, "BTCUSDT", number=7)
    leases.want([])

    assert leases.next_step(1) == Unsubscribe("BTCUSDT", 7)
    leases.ended("BTCUSDT")
    assert leases.next_step(1) == Wait(None)
    assert leases.settled


def test_a_failing_pair_waits_longer_each_time_and_does_not_hold_up_the_others() -> None:
    leases = Leases()
    leases.want(["BTCUSDT", "ETHUSDT"])

    leases.failed("BTCUSDT", 0)

    assert leases.next_step(0) == Subscribe("ETHUSDT")
    subscribed(leases, "ETHUSDT")
    assert leases.next_step(0) == Wait(500)
    leases.failed("BTCUSDT", 500)
    assert leases.next_step(500) == Wait(1_500)


def test_retry_after_is_honoured() -> None:
    leases = Leases()
    leases.want(["BTCUSDT"])

    leases.failed("BTCUSDT", 0, after_s=60)

    assert leases.next_step(59_999) == Wait(60_000)
    assert leases.next_step(60_000) == Subscribe("BTCUSDT")


def test_a_refused_subscription_names_its_pair() -> None:
    leases = Leases()
    leases.want(["BTCUSDT"])
    leases.asked("r", "BTCUSDT", ListenToken("t", HOUR), 0)

    assert leases.refused("other", 0) is None
    assert leases.refused("r", 0) == "BTCUSDT"
    assert leases.next_step(0) == Wait(500)


@given(expires_ms=st.integers(-HOUR, 30 * HOUR))
def test_a_renewal_is_never_due_in_the_past_nor_after_the_end(expires_ms: int) -> None:
    leases = Leases()
    leases.want(["BTCUSDT"])
    subscribed(leases, "BTCUSDT", for_ms=expires_ms)

    step = leases.next_step(-1)

    assert isinstance(step, Wait)
    assert step.until_ms is not None
    assert 0 <= step.until_ms <= max(0, expires_ms)
