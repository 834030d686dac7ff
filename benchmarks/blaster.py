"""A stream host that sends trade frames of real shape as fast as its one client reads them.

`python -m benchmarks.blaster PORT SYMBOL...` answers subscriptions, then sends. Each frame has the
time of its sending; prices walk, and the whole market rises by one a lap, so that stops are raised now and
then, and never touched.
"""

import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import Iterator

from websockets.asyncio.server import ServerConnection, serve

READY = "blaster is listening"
FIRST_PRICE = 1_000
_LAP = 100_000
_CHUNK = 500
_HIGH_WATER = 1_000_000
_TIME, _WHOLE = b"TTTTTTTTTTTTT", b"WWWW"
_LONG = 126


def frames(symbols: list[str]) -> Iterator[bytes]:
    """One lap of whole WebSocket frames, the symbols by turns. Time and whole price are left open."""
    rng = random.Random(1)  # noqa: S311 (a walk to be repeated, not a secret)
    cents = dict.fromkeys(symbols, 5_000)
    for number, symbol in zip(range(_LAP), itertools.cycle(symbols), strict=False):
        cents[symbol] = min(9_999, max(0, cents[symbol] + rng.randint(-20, 20)))
        yield _frame(_trade(symbol, 4_000_000_000 + number, cents[symbol], rng.randint(1, 99_999)).encode())


def _trade(symbol: str, trade_id: int, price: int, quantity: int) -> str:
    """The text of a combined trade frame, with room for time and whole price."""
    maker = "true" if quantity % 2 else "false"
    data = (
        f'"e":"trade","E":TTTTTTTTTTTTT,"s":"{symbol}","t":{trade_id},"p":"WWWW.{price:04d}0000",'
        f'"q":"0.{quantity:05d}000","T":TTTTTTTTTTTTT,"m":{maker},"M":true'
    )
    return f'{{"stream":"{symbol.lower()}@trade","data":{{{data}}}}}'


def _frame(payload: bytes) -> bytes:
    """An unmasked text frame, as a server sends it."""
    short = len(payload) < _LONG
    length = bytes([len(payload)]) if short else bytes([_LONG]) + len(payload).to_bytes(2, "big")
    return b"\x81" + length + payload


def chunks(symbols: list[str]) -> list[bytes]:
    """A lap in pieces that are sent at once."""
    lap = list(frames(symbols))
    return [b"".join(lap[start : start + _CHUNK]) for start in range(0, _LAP, _CHUNK)]


async def blast(socket: ServerConnection, lap: list[bytes]) -> None:
    """Answer the subscriptions of the first second, then send for ever."""
    try:
        async with asyncio.timeout(1.0):
            async for message in socket:
                await socket.send(json.dumps({"result": None, "id": json.loads(message)["id"]}))
    except TimeoutError:
        pass
    for number in itertools.count():
        whole = str(FIRST_PRICE + number).encode()
        for chunk in lap:
            now = str(time.time_ns() // 1_000_000).encode()
            socket.transport.write(chunk.replace(_TIME, now).replace(_WHOLE, whole))
            while socket.transport.get_write_buffer_size() > _HIGH_WATER:
                await asyncio.sleep(0.001)
            if socket.transport.is_closing():
                return


async def run(port: int, symbols: list[str]) -> None:
    """Serve until terminated."""
    lap = chunks(symbols)

    async def handle(socket: ServerConnection) -> None:
        await blast(socket, lap)

    async with serve(handle, "127.0.0.1", port, compression=None):
        print(READY, flush=True)
        await asyncio.get_running_loop().create_future()


def main(port: str, *symbols: str) -> None:
    asyncio.run(run(int(port), list(symbols)))


if __name__ == "__main__":
    main(*sys.argv[1:])
