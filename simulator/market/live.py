"""Prices of another Binance, live: paper trading on the real market's public streams."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import aiohttp
import msgspec

from simulator.market.ticks import Tick, event_of, tick_of

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# A market that is silent for longer than this is a dead connection, whatever it still acknowledges.
_SILENCE = 60.0


async def follow_live(url: str, symbols: Sequence[str], on_tick: Callable[[Tick], None]) -> None:
    """Hand over trades of `<url>/stream?streams=...` as they come, reconnecting for ever."""
    streams = "/".join(f"{symbol.lower()}@trade" for symbol in symbols)
    pause = _FIRST_PAUSE
    async with aiohttp.ClientSession(trust_env=True) as session:
        while True:
            try:
                async with session.ws_connect(
                    f"{url}/stream?streams={streams}", timeout=_timeouts()
                ) as socket:
                    async for message in socket:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            pause = _FIRST_PAUSE
                            for tick in _ticks(message.data):
                                on_tick(tick)
            except (aiohttp.ClientError, TimeoutError) as error:
                logger.warning("The market at %s is away: %s", url, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _timeouts() -> aiohttp.ClientWSTimeout:
    return aiohttp.ClientWSTimeout(ws_receive=_SILENCE, ws_close=1.0)


def _ticks(text: str) -> list[Tick]:
    try:
        event = event_of(msgspec.json.decode(text))
        return [tick_of(event, at_us=time.time_ns() // 1_000)] if event.get("e") == "trade" else []
    except (ValueError, KeyError, msgspec.DecodeError):
        logger.warning("Dropped a frame that makes no sense: %.200s", text)
        return []
