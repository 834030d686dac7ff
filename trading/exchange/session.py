"""The part of a requests session that python-binance uses, on urllib3 alone.

requests spends more processor time on cookies, redirects, hooks and the environment than the whole rest of an
order takes, and two threads of an exit share one interpreter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import certifi
import urllib3


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end."""

    method: str
    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", errors="replace")


class Session:
    """Connections that stay open, no retries, no redirects, nothing from the environment. Not thread-safe.

    Every method raises urllib3's exceptions. `timeout` is (connect, read) in seconds.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = {**headers, "Accept-Encoding": "gzip"}
        self._manager = urllib3.PoolManager(
            cert_reqs="CERT_REQUIRED", ca_certs=certifi.where(), retries=False
        )
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}

    def get(self, url: str, **request: Any) -> Answer:
        return self._send("GET", url, **request)

    def post(self, url: str, **request: Any) -> Answer:
        return self._send("POST", url, **request)

    def put(self, url: str, **request: Any) -> Answer:
        return self._send("PUT", url, **request)

    def delete(self, url: str, **request: Any) -> Answer:
        return self._send("DELETE", url, **request)

    def close(self) -> None:
        self._pools.clear()
        self._manager.clear()

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
        params: str = "",
        data: str | None = None,
    ) -> Answer:
        origin, slash, path = _parts(url)
        answer = self._pool(origin).urlopen(
            method,
            f"{slash}{path}?{params}" if params else f"{slash}{path}",
            body=data,
            headers={**self.headers, **headers},
            timeout=urllib3.Timeout(connect=timeout[0], read=timeout[1]),
            retries=False,
            redirect=False,
        )
        return Answer(method, answer.status, answer.headers, answer.data)

    def _pool(self, origin: str) -> urllib3.HTTPConnectionPool:
        """The manager would take every URL apart anew, which shows in an exit."""
        if origin not in self._pools:
            self._pools[origin] = self._manager.connection_from_url(origin)
        return self._pools[origin]


def _parts(url: str) -> tuple[str, str, str]:
    """`https://host:port`, a slash, and what follows it."""
    start = url.index("://") + len("://")
    host, slash, path = url[start:].partition("/")
    return url[:start] + host, slash, path
