import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trading.exchange.subscriptions import Subscriptions


def asked(subscriptions: Subscriptions, now_s: float = 0.0) -> dict[str, Any]:
    request = subscriptions.next_request(now_s)
    assert request is not None
    message: dict[str, Any] = json.loads(request)
    return message


def carrying(*names: str) -> Subscriptions:
    subscriptions = Subscriptions()
    subscriptions.want(names)
    subscriptions.answered(asked(subscriptions)["id"], "")
    return subscriptions


def test_wanted_streams_are_asked_for_once() -> None:
    subscriptions = Subscriptions()
    subscriptions.want(["ethusdt@trade", "btcusdt@trade"])

    request = asked(subscriptions)

    assert (request["method"], request["params"]) == ("SUBSCRIBE", ["btcusdt@trade", "ethusdt@trade"])
    assert subscriptions.next_request(0.0) is None
    assert not subscriptions.settled


def test_an_answer_settles_it() -> None:
    assert carrying("btcusdt@trade").settled


def test_what_is_no_longer_wanted_is_dropped_first() -> None:
    subscriptions = carrying("btcusdt@trade")
    subscriptions.want(["ethusdt@trade"])

    first, second = asked(subscriptions), asked(subscriptions)

    assert (first["method"], first["params"]) == ("UNSUBSCRIBE", ["btcusdt@trade"])
    assert (second["method"], second["params"]) == ("SUBSCRIBE", ["ethusdt@trade"])


def test_a_stream_under_way_is_left_alone_until_it_is_answered() -> None:
    subscriptions = Subscriptions()
    subscriptions.want(["btcusdt@trade"])
    request = asked(subscriptions)
    subscriptions.want([])

    assert subscriptions.next_request(0.0) is None
    subscriptions.answered(request["id"], "")
    assert asked(subscriptions)["method"] == "UNSUBSCRIBE"


def test_many_streams_are_asked_for_in_batches() -> None:
    subscriptions = Subscriptions()
    subscriptions.want([f"s{n:03}@trade" for n in range(250)])

    sizes = [len(asked(subscriptions)["params"]) for _ in range(3)]

    assert sizes == [100, 100, 50]


def test_one_bad_name_does_not_silence_the_rest() -> None:
    subscriptions = Subscriptions()
    subscriptions.want(["bad", "btcusdt@trade", "ethusdt@trade"])
    subscriptions.answered(asked(subscriptions)["id"], "Invalid request")

    for _ in range(3):
        request = asked(subscriptions)
        assert len(request["params"]) == 1
        subscriptions.answered(request["id"], "no such stream" if request["params"] == ["bad"] else "")

    assert subscriptions.settled
    assert subscriptions.refused == {"bad": "no such stream"}
    assert subscriptions.next_request(0.0) is None


def test_an_unanswered_request_becomes_overdue() -> None:
    subscriptions = Subscriptions()
    subscriptions.want(["btcusdt@trade"])
    asked(subscriptions, now_s=100.0)

    assert subscriptions.overdue_in(104.0) == 6.0
    assert subscriptions.overdue_in(111.0) == 0.0


def test_nothing_asked_is_never_overdue() -> None:
    assert carrying("btcusdt@trade").overdue_in(1e9) is None


def test_an_answer_to_nothing_changes_nothing() -> None:
    subscriptions = carrying("btcusdt@trade")

    for request_id in (99, "x", None, [1]):
        subscriptions.answered(request_id, "error")

    assert subscriptions.settled
    assert subscriptions.refused == {}


names = st.sets(st.sampled_from([f"s{n}@trade" for n in range(8)]))


@given(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=12))
def test_whatever_is_wanted_in_the_end_is_what_is_carried(changes: list[tuple[set[str], bool]]) -> None:
    """A server that answers at once or late, while the wanted set goes on changing."""
    subscriptions = Subscriptions()
    server: set[str] = set()
    unanswered: list[dict[str, Any]] = []

    def serve(answer: bool) -> None:
        while (text := subscriptions.next_request(0.0)) is not None:
            request = json.loads(text)
            wanted = set(request["params"])
            server.difference_update(wanted) if request["method"] == "UNSUBSCRIBE" else server.update(wanted)
            unanswered.append(request)
        while answer and unanswered:
            subscriptions.answered(unanswered.pop()["id"], "")

    for wanted, answer in changes:
        subscriptions.want(wanted)
        serve(answer)
    for _ in range(3):
        serve(True)

    assert server == changes[-1][0]
    assert subscriptions.settled
