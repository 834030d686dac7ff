"""The simulator as a process: for `make run`, the demo, the benchmarks and the tests."""

import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import requests

from robson.local import children, logfiles

_ADDRESS = re.compile(rb"http://127\.0\.0\.1:(\d+)")
_START_TIMEOUT_S = 30.0
_POLL_S = 0.05
PORT = 8900
DEMO_KEY, DEMO_SECRET = "demo-key", "demo-secret"


class SimulatorError(RuntimeError):
    """The simulator did not start, or refused a control call."""


class Control:
    """The control API. Prices are in quote currency, quantities in base. Each call raises SimulatorError."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def price(self, symbol: str, price: Decimal | str) -> None:
        """Set the price; fills and triggers follow before this returns, streams publish."""
        self.call("POST", "price", {"symbol": symbol, "price": str(price)})

    def trade(
        self,
        side: str,
        quantity: Decimal | str,
        *,
        symbol: str,
        api_key: str = DEMO_KEY,
        venue: str = "isolated_margin",
    ) -> dict[str, Any]:
        """The owner buys or sells by hand, at market, in the exchange's app. `side` is BUY or SELL."""
        body = {"api_key": api_key, "venue": venue, "symbol": symbol, "side": side, "quantity": str(quantity)}
        answer: dict[str, Any] = self.call("POST", "trade", body)
        return answer

    def fault(self, kind: str, **details: object) -> None:
        """Make something fail on purpose, until `clear_faults` or for `count` times."""
        self.call("POST", "fault", {"kind": kind, **details})

    def clear_faults(self) -> None:
        """Let everything work again."""
        self.call("DELETE", "fault")

    def orders(self) -> list[dict[str, Any]]:
        """Every order ever accepted, oldest first."""
        orders: list[dict[str, Any]] = self.call("GET", "orders")
        return orders

    def ledger(self) -> dict[str, Any]:
        """Balances, debts and positions per account, and `violations`."""
        answer: dict[str, Any] = self.call("GET", "ledger")
        return answer

    def reset(self) -> None:
        """A fresh exchange: no orders, no faults, balances as at the start."""
        self.call("POST", "reset")

    def healthy(self) -> bool:
        """Whether it serves. Raises nothing."""
        try:
            return self._session.get(f"{self._url}/sim/health", timeout=2).ok
        except requests.RequestException:
            return False

    def call(self, method: str, name: str, body: Mapping[str, object] | None = None) -> Any:
        """Any other control call: `call("POST", "depth", {...})`."""
        try:
            answer = self._session.request(method, f"{self._url}/sim/{name}", json=body, timeout=10)
            if not answer.ok:
                raise SimulatorError(f"{method} /sim/{name} {body}: {answer.status_code} {answer.text[:500]}")
            return answer.json()
        except requests.RequestException as error:
            raise SimulatorError(f"{method} /sim/{name}: {error}") from error


@dataclass(frozen=True)
class Simulator:
    """Where a simulator can be reached."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """What makes Robson trade against it instead of the exchange, and nothing else."""
        return {
            "BINANCE_API_URL": self.url,
            "BINANCE_FAPI_URL": self.url,
            "BINANCE_STREAM_URL": self.ws_url,
            "BINANCE_FSTREAM_URL": self.ws_url,
            "BINANCE_WS_API_URL": f"{self.ws_url}/ws-api/v3",
            "BINANCE_API_KEY": DEMO_KEY,
            "BINANCE_API_SECRET": DEMO_SECRET,
            "ROBSON_LIVE": "0",
        }


class SimulatorProcess:
    """A simulator of its own on a free port, for as long as the block lasts."""

    def __init__(self, *, feed: str = "manual", seed: int = 1, name: str = "simulator") -> None:
        self._command = command(feed=feed, seed=seed)
        self._name = name

    def start(self) -> Self:
        """Start it and wait until it is healthy. Raises SimulatorError with the end of its log."""
        with logfiles.append(self._name) as log:
            offset = log.tell()
            self._child = children.spawn(self._command, log=log, env=os.environ)
        try:
            self._address = Simulator(self._announced_port(offset))
            self._control = Control(self.url)
            self._wait_until_healthy()
        except BaseException:
            children.kill(self._child)
            raise
        return self

    def stop(self) -> None:
        children.stop(self._child)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return self._address.url

    @property
    def ws_url(self) -> str:
        return self._address.ws_url

    @property
    def port(self) -> int:
        return self._address.port

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def control(self) -> Control:
        return self._control

    def environment(self) -> dict[str, str]:
        return self._address.environment()

    def _announced_port(self, offset: int) -> int:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not (found := _ADDRESS.search(logfiles.read_from(self._name, offset))):
            self._check_starting(deadline)
        return int(found[1])

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._control.healthy():
            self._check_starting(deadline)

    def _check_starting(self, deadline: float) -> None:
        if self._child.poll() is not None or time.monotonic() > deadline:
            raise SimulatorError(f"The simulator did not start.\n{logfiles.tail(self._name)}")
        time.sleep(_POLL_S)


def command(*, feed: str, seed: int = 1, port: int = 0) -> list[str]:
    """How a simulator is started. Port 0 is a free one, which it announces."""
    options = ["--port", str(port), "--feed", feed, "--seed", str(seed)]
    return [sys.executable, "-m", "simulator", *options]
