"""An exchange in the test's own process, and the same behind a real socket."""

import asyncio
import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from aiohttp import web

from simulator.app import build
from simulator.clock import Clock
from simulator.errors import BinanceError
from simulator.exchange import Exchange
from simulator.ledger import Wallet
from simulator.orders import Order, OrderRequest
from simulator.settings import Settings

KEY, SECRET = "demo-key", "demo-secret"
BTC = "BTCUSDT"
START_MS = 1_760_000_000_000


class HandClock(Clock):
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.ms = START_MS
        super().__init__(lambda: self.ms * 1_000_000)


@dataclass
class Desk:
    """An in-process exchange with one account, and short words for what tests do with it."""

    exchange: Exchange
    clock: HandClock

    def place(self, side: str, quantity: str | None = None, **wish: Any) -> Order:
        """Place an order through the API; at market unless `type` says otherwise."""
        by_hand = wish.pop("by_hand", False)
        for name in ("price", "stop_price", "quote_quantity"):
            if name in wish:
                wish[name] = Decimal(wish[name])
        symbol, kind = wish.pop("symbol", BTC), wish.pop("type", "MARKET")
        amount = None if quantity is None else Decimal(quantity)
        request = OrderRequest(symbol, side, kind, quantity=amount, **wish)
        return self.exchange.place(KEY, request, by_hand=by_hand)

    def price(self, price: str, symbol: str = BTC) -> None:
        """Print a trade at this price."""
        self.exchange.board.print_trade(symbol, Decimal(price))

    def base(self, symbol: str = BTC) -> Wallet:
        """The wallet of the base currency."""
        return self.exchange.pair(KEY, symbol).base

    def quote(self, symbol: str = BTC) -> Wallet:
        """The wallet of the quote currency."""
        return self.exchange.pair(KEY, symbol).quote

    def violations(self) -> list[str]:
        """The kinds of violation so far."""
        return [one.kind for one in self.exchange.engine.violations]


def desk(**settings: Any) -> Desk:
    """A fresh exchange whose BTCUSDT trades at 60,000, with interest switched off unless asked for."""
    clock = HandClock()
    chosen = Settings(**{"interest_per_hour": Decimal(0), **settings})
    exchange = Exchange(clock=clock, settings=chosen)
    exchange.start_with([(KEY, SECRET)])
    return Desk(exchange, clock)


@contextmanager
def refused(code: int, text: str = "") -> Iterator[None]:
    """The block raises a BinanceError with this code, and with this text in its message."""
    with pytest.raises(BinanceError) as caught:
        yield
    assert (caught.value.code, text in caught.value.msg) == (code, True), caught.value


class Server:
    """A served exchange: REST, WebSockets and control on a free port of the loopback interface."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.exchange = Exchange(settings=settings or Settings(interest_per_hour=Decimal(0)))
        self.exchange.start_with([(KEY, SECRET)])
        self.session = requests.Session()
        self.session.trust_env = False
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = 0
        self.timeout = 10.0

    @property
    def url(self) -> str:
        """Where REST is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_api(self) -> str:
        """Where the WebSocket API is."""
        return f"ws://127.0.0.1:{self.port}/ws-api/v3"

    def __enter__(self) -> "Server":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self.session.close()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        runner = web.AppRunner(build(self.exchange), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    def control(self, method: str, name: str, body: Any = None) -> Any:
        """A control call that must succeed."""
        answer = self.session.request(method, f"{self.url}/sim/{name}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def signed(
        self, method: str, path: str, *, key: str = KEY, secret: str = SECRET, **params: Any
    ) -> requests.Response:
        """A signed call with its parameters in the query string."""
        values = {"timestamp": int(time.time() * 1_000), **params}
        return self.send(method, path, sign(values, secret), key=key)

    def send(
        self,
        method: str,
        path: str,
        query: str = "",
        *,
        body: str | bytes | None = None,
        key: str | None = KEY,
    ) -> requests.Response:
        """A raw call: nothing is added and nothing is signed."""
        headers = {} if key is None else {"X-MBX-APIKEY": key}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = f"{self.url}{path}" + (f"?{query}" if query else "")
        return self.session.request(method, url, data=body, headers=headers, timeout=self.timeout)

    def order(self, side: str, quantity: str, **params: Any) -> requests.Response:
        """A MARKET order on BTCUSDT, unless the parameters say otherwise."""
        wish = {"symbol": BTC, "side": side, "type": "MARKET", "quantity": quantity, "isIsolated": "TRUE"}
        return self.signed("POST", "/sapi/v1/margin/order", **{**wish, **params})


def sign(values: Mapping[str, Any], secret: str = SECRET) -> str:
    """The parameters as a query string with its signature at the end."""
    query = urlencode(values)
    return f"{query}&signature={hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"


def until(condition: Callable[[], Any], deadline_s: float = 5.0) -> Any:
    """Poll until the condition holds, and return what it gave."""
    end = time.monotonic() + deadline_s
    while not (result := condition()):
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.005)
    return result
