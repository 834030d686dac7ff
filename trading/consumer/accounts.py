"""User data of the watched accounts: hints that something happened by another hand than ours."""

import asyncio
import logging
from collections.abc import Callable, Collection

from django.conf import settings

from trading import gateway
from trading.consumer.lanes import Lane
from trading.domain.client_ids import parse_client_id
from trading.exchange.connection import USUAL, LinkState
from trading.exchange.parsing import ListenToken
from trading.exchange.user_events import OrderEvent, UserEvent
from trading.exchange.user_stream import UserStream
from trading.logcontext import about
from trading.models import Account

log = logging.getLogger(__name__)


class AccountFeeds:
    """One user-data connection per account, carrying the pairs that are managed in it."""

    def __init__(self, lane: Lane, *, changed: Callable[[], None]) -> None:
        self._lane = lane
        self._changed = changed
        self._streams: dict[int, UserStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, account: Account, symbols: Collection[str]) -> None:
        """Carry exactly these pairs of the account from now on."""
        if account.pk not in self._streams:
            self._streams[account.pk] = self._start(account)
        self._streams[account.pk].set_symbols(symbols)

    def keep_only(self, account_ids: set[int]) -> None:
        """The other accounts manage nothing any more: their connections carry nothing."""
        for account_id in self._streams.keys() - account_ids:
            self._streams[account_id].set_symbols(())

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _start(self, account: Account) -> UserStream:
        async def new_token(symbol: str) -> ListenToken:
            return await self._lane.run(lambda: gateway.exchange_for(account).listen_token(symbol))

        stream = UserStream(
            gateway.endpoints().ws_api,
            new_token,
            self._on_event,
            lambda state: _log_state(account, state),
            now_ms=gateway.exchange_clock(),
        )
        with about(account):
            task = asyncio.create_task(stream.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return stream

    def _on_event(self, event: UserEvent) -> None:
        if not isinstance(event, OrderEvent):
            return
        ours = parse_client_id(event.client_order_id)
        if ours is None or ours.tag != settings.INSTALLATION_TAG:
            log.warning(
                "%s: order %s (%s, %s) is not Robson's: somebody trades this pair by hand",
                event.symbol,
                event.order_id,
                event.execution,
                event.status,
            )
        self._changed()


def _log_state(account: Account, state: LinkState) -> None:
    level = logging.INFO if state.link in USUAL else logging.WARNING
    log.log(level, "user data of %s: %s %s", account, state.link, state.detail)
