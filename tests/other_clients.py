"""Clients of Binance other than Robson: what else an owner may use on the same account."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from binance.client import Client

from robson.local.simulator import DEMO_KEY, DEMO_SECRET


@contextmanager
def python_binance(url: str, key: str = DEMO_KEY, secret: str = DEMO_SECRET) -> Iterator[Any]:
    """python-binance, unmodified but for its addresses."""

    class Local(Client):  # type: ignore[misc]  # python-binance carries no types
        API_URL, MARGIN_API_URL = f"{url}/api", f"{url}/sapi"

    # It takes the thread's event loop, or leaves a new one behind.
    with closing(asyncio.new_event_loop()) as loop:
        asyncio.set_event_loop(loop)
        client = Local(key, secret, ping=False)
        client.session.trust_env = False
        try:
            yield client
        finally:
            client.close_connection()
            asyncio.set_event_loop(None)
