"""How much of the exchange's patience is used, told by process and host."""

from urllib.parse import urlsplit

import pytest
from prometheus_client.metrics import MetricWrapperBase

from tests.trading.counting import counted
from tests.trading.world import World
from trading import metrics
from trading.exchange.errors import StopAndPage

ACCOUNT, PRICE = "/sapi/v1/margin/isolated/account", ""


def told(metric: MetricWrapperBase) -> dict[tuple[str, ...], float]:
    samples = (sample for family in metric.collect() for sample in family.samples)
    return {tuple(sample.labels.values()): sample.value for sample in samples}


def test_the_used_weight_is_told_as_the_last_answer_states_it(world: World) -> None:
    host = urlsplit(world.simulator.url).netloc
    world.exchange.margin_pairs()
    world.exchange.prices()
    used = told(metrics.WEIGHT_USED)
    assert used[host, "X-SAPI-USED-IP-WEIGHT-1M", ACCOUNT, ""] > 0
    assert used[host, "X-MBX-USED-WEIGHT-1M", "", ""] > 0


def test_weight_that_counts_an_account_names_it(world: World) -> None:
    host = urlsplit(world.simulator.url).netloc
    world.enter()
    uid = {labels for labels in told(metrics.WEIGHT_USED) if labels[1] == "X-SAPI-USED-UID-WEIGHT-1M"}
    assert (host, "X-SAPI-USED-UID-WEIGHT-1M", "/sapi/v1/margin/order", "main") in uid


def test_a_ban_is_counted_and_its_end_is_told(world: World) -> None:
    host = urlsplit(world.simulator.url).netloc
    world.control.fault("ban", seconds=30)
    with counted(metrics.REFUSED) as bans, pytest.raises(StopAndPage):
        world.exchange.margin_pairs()
    assert bans == {(host, "418"): 1}
    assert told(metrics.QUIET_UNTIL)[host,] == pytest.approx(world.desk.clock().timestamp() + 30, abs=5)
