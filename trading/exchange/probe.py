"""What somebody asks who wants to know whether the exchange can be worked with: nothing here trades."""

import time
from dataclasses import dataclass

from websockets.sync.client import connect

from trading.exchange import fields
from trading.exchange.calls import Caller, CallSettings
from trading.exchange.endpoints import Endpoints
from trading.exchange.http import Timeouts

TIMEOUTS = Timeouts(connect=2.0, read=3.0)


@dataclass(frozen=True, slots=True)
class KeyPermissions:
    """What a key may do. `expires_ms`: when it ceases to trade, which only some keys do.

    `borrowing` is margin's loans, repayments and transfers; `trading` is orders, on spot and margin alike.
    """

    reading: bool
    trading: bool
    borrowing: bool
    withdrawals: bool
    transfers: bool
    bound_to_addresses: bool
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class ClockReading:
    """`ahead_ms`: the exchange's clock less ours, the answer taken to have been given half-way."""

    round_trip_s: float
    ahead_ms: int


class Probe:
    """One account's connection, or one without a key. Raises ExchangeError. Not thread-safe."""

    def __init__(self, endpoints: Endpoints, *, api_key: str = "", api_secret: str = "") -> None:
        self._caller = Caller(endpoints, api_key, api_secret, CallSettings(timeouts=TIMEOUTS))

    def close(self) -> None:
        self._caller.http.session.close()

    def clock(self) -> ClockReading:
        """The better of two readings: the first may pay for a handshake."""
        return ClockReading(*min(self._caller.measured_offset() for _ in range(2)))

    def permissions(self) -> KeyPermissions:
        answer = self._caller.with_right_clock("permissions", self._caller.http.get_account_api_permissions)
        return key_permissions(answer)


def key_permissions(answer: object) -> KeyPermissions:
    """Raises BadAnswer: what is not said is not taken for a no."""
    source = fields.row(answer, "permissions")
    expires = "tradingAuthorityExpirationTime"
    return KeyPermissions(
        reading=fields.flag(source, "enableReading"),
        trading=fields.flag(source, "enableSpotAndMarginTrading"),
        borrowing=fields.flag(source, "enableMargin"),
        withdrawals=fields.flag(source, "enableWithdrawals"),
        transfers=fields.flag(source, "permitsUniversalTransfer")
        or fields.flag(source, "enableInternalTransfer"),
        bound_to_addresses=fields.flag(source, "ipRestrict"),
        expires_ms=fields.whole(source, expires) if source.get(expires) is not None else None,
    )


def handshake_s(url: str, *, within_s: float) -> float:
    """Seconds until a WebSocket at this address stands; it is closed again at once.

    Raises OSError (TimeoutError among them) or WebSocketException.
    """
    started = time.perf_counter()
    with connect(url, compression=None, proxy=None, open_timeout=within_s, close_timeout=0.5):
        return time.perf_counter() - started
