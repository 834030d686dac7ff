"""The simulator as a process, steered by its control API."""

from decimal import Decimal

import psutil
import pytest
import requests

from robson.local.simulator import SimulatorError, SimulatorProcess


def test_it_serves_on_a_port_of_its_own_and_ends_with_its_block() -> None:
    with SimulatorProcess(name="simulator-own") as one:
        with requests.get(f"{one.url}/api/v3/ping", timeout=5) as answer:
            assert answer.status_code == requests.codes.ok
        process = psutil.Process(one.pid)
    assert not process.is_running()
    assert not one.control.healthy()


def test_a_trade_by_hand_is_in_the_list_of_orders_until_a_reset(simulator: SimulatorProcess) -> None:
    simulator.control.price("BTCUSDT", Decimal(50_000))
    simulator.control.trade("BUY", "0.01", symbol="BTCUSDT")
    (order,) = simulator.control.orders()
    assert (order["side"], Decimal(order["executed"]), order["by_hand"]) == ("BUY", Decimal("0.01"), True)
    assert simulator.control.ledger()["violations"] == []
    simulator.control.reset()
    assert simulator.control.orders() == []


def test_a_fault_strikes_until_it_is_cleared(simulator: SimulatorProcess) -> None:
    simulator.control.fault("http_status", status=503, path="/api/v3/time")
    with requests.get(f"{simulator.url}/api/v3/time", timeout=5) as failed:
        assert failed.status_code == requests.codes.unavailable
    simulator.control.clear_faults()
    with requests.get(f"{simulator.url}/api/v3/time", timeout=5) as answered:
        assert answered.status_code == requests.codes.ok


def test_a_refused_control_call_says_why(simulator: SimulatorProcess) -> None:
    with pytest.raises(SimulatorError, match="NOSUCH"):
        simulator.control.price("NOSUCH", "1")


def test_a_simulator_that_cannot_start_says_why() -> None:
    with pytest.raises(SimulatorError, match="no-such-file"):
        SimulatorProcess(feed="no-such-file.csv", name="simulator-broken").start()


def test_its_environment_names_all_five_hosts_and_never_the_live_exchange(
    simulator: SimulatorProcess,
) -> None:
    environment = simulator.environment()
    hosts = {name: value for name, value in environment.items() if name.endswith("_URL")}
    assert len(hosts) == 5
    assert all(f"127.0.0.1:{simulator.port}" in host for host in hosts.values())
    assert environment["ROBSON_LIVE"] == "0"
