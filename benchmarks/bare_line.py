"""The least between a price and its order: one process, one loop, no record of anything.

`python -m benchmarks.bare_line SYMBOL KEY SECRET QUANTITY` sells at every price at or below 98.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from binance.client import Client
from websockets.asyncio.client import connect

READY = "bare path is listening"
_STOP = Decimal(98)


def bare_client(key: str, secret: str) -> Any:
    """python-binance as it comes, on the configured host, without the proxy look-up that slows each call."""
    client = Client(key, secret, ping=False)
    client.API_URL = f"{os.environ['BINANCE_API_URL']}/api"
    client.MARGIN_API_URL = f"{os.environ['BINANCE_API_URL']}/sapi"
    client.session.trust_env = False
    client.ping()
    return client


def sell(client: Any, symbol: str, quantity: str) -> None:
    """One market order, at once. `quantity` in base currency."""
    client.create_margin_order(
        symbol=symbol,
        side="SELL",
        type="MARKET",
        quantity=quantity,
        isIsolated="TRUE",
        sideEffectType="AUTO_REPAY",
    )


async def watch(symbol: str, act: Callable[[], None]) -> None:
    """Call `act` at every price of the symbol that touches the stop, for ever."""
    url = f"{os.environ['BINANCE_STREAM_URL']}/stream?streams={symbol.lower()}@trade"
    async with connect(url, compression=None, proxy=None) as socket:
        print(READY, flush=True)
        async for frame in socket:
            if Decimal(json.loads(frame)["data"]["p"]) <= _STOP:
                act()


def main(symbol: str, key: str, secret: str, quantity: str) -> None:
    client = bare_client(key, secret)
    asyncio.run(watch(symbol, lambda: sell(client, symbol, quantity)))


if __name__ == "__main__":
    main(*sys.argv[1:])
