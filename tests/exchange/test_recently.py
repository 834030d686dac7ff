"""Answers that are given again for a moment: the exchange hears each question once."""

import threading
from collections.abc import Callable

import pytest

from trading.exchange.errors import NotSent, RetryLater, StopAndPage
from trading.exchange.recently import Recently

AGE_MS = 2_000


class Exchange:
    """Counts what it is asked, and answers with the count."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.asked


def raising(error: Exception) -> Callable[[], int]:
    def ask() -> int:
        raise error

    return ask


def test_an_answer_is_given_again_until_it_is_too_old() -> None:
    cache, exchange = Recently(AGE_MS), Exchange()
    assert [cache.get("BTCUSDT", now, exchange) for now in (0, AGE_MS - 1, AGE_MS)] == [1, 1, 2]


def test_each_question_has_an_answer_of_its_own() -> None:
    cache, exchange = Recently(AGE_MS), Exchange()
    assert [cache.get(key, 0, exchange) for key in ("BTCUSDT", "ETHUSDT", "BTCUSDT")] == [1, 2, 1]


def test_who_asks_the_same_at_the_same_time_waits_for_the_one_answer() -> None:
    cache, exchange = Recently(AGE_MS), Exchange()
    asked_again = threading.Event()
    found: list[int] = []

    def ask() -> int:
        answer = exchange()
        if answer > 1:
            asked_again.set()
        # As long as an answer may take, unless somebody else asks meanwhile.
        asked_again.wait(timeout=0.3)
        return answer

    threads = [threading.Thread(target=lambda: found.append(cache.get("BTCUSDT", 0, ask))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5)
    assert (found, exchange.asked) == ([1, 1, 1], 1)


def test_a_failure_is_not_kept() -> None:
    cache, exchange = Recently(AGE_MS), Exchange()
    with pytest.raises(NotSent):
        cache.get("BTCUSDT", 0, raising(NotSent("no route")))
    assert cache.get("BTCUSDT", 1, exchange) == 1


@pytest.mark.parametrize("silence", [RetryLater("slow down", after_s=3), StopAndPage("banned", after_s=3)])
def test_an_exchange_that_wants_silence_is_not_asked_until_then(silence: RetryLater | StopAndPage) -> None:
    cache, exchange = Recently(AGE_MS), Exchange()
    with pytest.raises(type(silence)):
        cache.get("BTCUSDT", 0, raising(silence))
    with pytest.raises(type(silence)):
        cache.get("ETHUSDT", 2_999, exchange)
    assert exchange.asked == 0
    assert cache.get("ETHUSDT", 3_000, exchange) == 1
