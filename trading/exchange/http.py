"""python-binance's REST client with the parts replaced that could delay, repeat or disguise an order."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import urllib3
from binance.client import Client

from trading.exchange.classify import Signal, from_answer, from_transport
from trading.exchange.endpoints import Endpoints
from trading.exchange.errors import BadAnswer
from trading.exchange.session import Answer, Session


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds until a connection stands, and between two bytes of an answer."""

    connect: float = 3.0
    read: float = 10.0


class BinanceHttp(Client):  # type: ignore[misc]  # python-binance ships no types
    """One connection pool with one account's key. Not thread-safe.

    Raises `ExchangeError` and nothing else of urllib3 or python-binance.
    """

    # super().__init__ would open an event loop and two WebSocket managers for every client; this sets what
    # the REST half uses.
    def __init__(
        self,
        endpoints: Endpoints,
        *,
        api_key: str,
        api_secret: str,
        timeouts: Timeouts,
        recv_window_ms: int,
        now_ms: Callable[[], int],
    ) -> None:
        self.API_URL = f"{endpoints.api}/api"
        self.MARGIN_API_URL = f"{endpoints.api}/sapi"
        self.FUTURES_URL = f"{endpoints.fapi}/fapi"
        self.API_KEY, self.API_SECRET = api_key, api_secret
        self.PRIVATE_KEY = self.TIME_UNIT = None
        self.testnet = self.demo = self.verbose = False
        self.logger = logging.getLogger(__name__)
        self.response: Answer | None = None
        self.path = ""
        self.session = Session(self._get_headers())
        self._timeout = (timeouts.connect, timeouts.read)
        self._recv_window_ms = recv_window_ms
        self._now_ms = now_ms

    def get_symbol_filters(self, **which: str) -> Any:
        """`exchangeInfo` of `symbol` or `symbols`: python-binance asks for all of them, some megabytes."""
        return self._get("exchangeInfo", data=which)

    def _request(self, method: str, uri: str, signed: bool, force_params: bool = False, **kwargs: Any) -> Any:
        self.response = None
        self.path = urlsplit(uri).path
        try:
            return super()._request(method, uri, signed, force_params, **kwargs)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise from_transport(error, f"{method.upper()} {self.path}") from error

    def _get_request_kwargs(
        self, method: str, signed: bool, force_params: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        # python-binance's own version overwrites timestamp and recvWindow, which fence an order, and signs
        # a text that it then encodes differently from what it sends.
        params = {key: str(value) for key, value in (kwargs.get("data") or {}).items() if value is not None}
        if signed:
            params.setdefault("timestamp", str(self._now_ms()))
            params.setdefault("recvWindow", str(self._recv_window_ms))
        payload = urlencode(sorted(params.items()), quote_via=quote)
        if signed:
            payload += f"&signature={self._hmac_signature(payload)}"
        request: dict[str, Any] = {"timeout": self._timeout}
        if payload:
            request["params" if method == "get" or force_params else "data"] = payload
        return request

    def _handle_response(self, response: Answer) -> Any:
        if not 200 <= response.status_code < 300:
            raise from_answer(_signal(response), response.headers)
        try:
            return msgspec.json.decode(response.content)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadAnswer(f"not JSON: {response.text[:80]!r}", http_status=response.status_code) from error


class _ErrorBody(msgspec.Struct):
    code: int = 0
    msg: str = ""


def _signal(response: Answer) -> Signal:
    try:
        body = msgspec.json.decode(response.content, type=_ErrorBody)
    except (msgspec.DecodeError, RecursionError):
        return Signal(response.status_code, 0, response.text[:200], response.method)
    return Signal(response.status_code, body.code, body.msg, response.method)
