"""Request weights: who has used how much this minute, who must wait, who is banned.

Each `/sapi` endpoint has its own budget, per IP or per account (UID); all of `/api` shares one per IP. Going
on after a 429 leads to a 418 ban, which doubles each time, from two minutes up to three days.
"""

from dataclasses import dataclass
from typing import Literal

from simulator import errors

Scope = Literal["IP", "UID", "API"]

MINUTE_MS = 60_000
PATIENCE = 20
FIRST_BAN_S = 120
LONGEST_BAN_S = 3 * 24 * 3_600

HEADERS: dict[Scope, str] = {
    "IP": "X-SAPI-USED-IP-WEIGHT-1M",
    "UID": "X-SAPI-USED-UID-WEIGHT-1M",
    "API": "X-MBX-USED-WEIGHT-1M",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request weighs, and on whose budget: `endpoint` is empty for the one that `/api` shares."""

    weight: int
    scope: Scope
    endpoint: str = ""


class Weights:
    """Budgets per minute of the exchange's clock, in weight units; bans in milliseconds since the epoch."""

    def __init__(self) -> None:
        self.limits: dict[Scope, int] = {"IP": 12_000, "UID": 180_000, "API": 6_000}
        self._minute = 0
        self._used: dict[tuple[str, str], int] = {}
        self._over: dict[str, int] = {}
        self._banned_until: dict[str, int] = {}
        self._bans: dict[str, int] = {}

    def charge(self, cost: Cost, who: str, ip: str, now_ms: int) -> int:
        """Add the cost to the budget of `who` (an IP or a UID); returns what is used of it this minute.

        Raises 429 past the limit, with the seconds to wait; 418 for whoever goes on regardless.
        """
        if now_ms // MINUTE_MS != self._minute:
            self._minute = now_ms // MINUTE_MS
            self._used.clear()
            self._over.clear()
        budget = (f"{cost.scope}{cost.endpoint}", who)
        used = self._used[budget] = self._used.get(budget, 0) + cost.weight
        if used > self.limits[cost.scope]:
            self._refuse(cost, ip, now_ms)
        return used

    def _refuse(self, cost: Cost, ip: str, now_ms: int) -> None:
        over = self._over[ip] = self._over.get(ip, 0) + 1
        if over > PATIENCE:
            self._bans[ip] = self._bans.get(ip, 0) + 1
            self.ban(ip, min(LONGEST_BAN_S, FIRST_BAN_S * 2 ** (self._bans[ip] - 1)), now_ms)
            self.check_ban(ip, now_ms)
        wait = (MINUTE_MS - now_ms % MINUTE_MS) // 1_000 + 1
        raise errors.too_many_requests(self.limits[cost.scope], unit="MINUTE", retry_after=wait)

    def ban(self, ip: str, seconds: float, now_ms: int) -> None:
        """Shut an IP out for this long."""
        self._banned_until[ip] = now_ms + int(seconds * 1_000)

    def check_ban(self, ip: str, now_ms: int) -> None:
        """Raise 418 for a banned IP, with the seconds left."""
        until = self._banned_until.get(ip, 0)
        if until > now_ms:
            raise errors.banned(until, retry_after=(until - now_ms) // 1_000 + 1)

    def forgive(self) -> None:
        """Lift all bans and forget all use."""
        self._banned_until.clear()
        self._bans.clear()
        self._used.clear()
        self._over.clear()


_API_WEIGHTS = {
    "ping": 1,
    "time": 1,
    "exchangeInfo": 20,
    "trades": 25,
    "aggTrades": 4,
    "account": 20,
}
_ALL_SYMBOLS = {"ticker/24hr": 80, "ticker/price": 4, "ticker/bookTicker": 4}
_DEPTH = ((100, 5), (500, 25), (1_000, 50))


def api_cost(path: str, query: dict[str, str]) -> Cost:
    """What a request below `/api/v3/` weighs."""
    name = path.removeprefix("/api/v3/")
    if name == "depth":
        limit = query.get("limit", "100")
        depth = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 6 else 100
        return Cost(next((weight for most, weight in _DEPTH if depth <= most), 250), "API")
    if name in _ALL_SYMBOLS and "symbol" not in query:
        return Cost(_ALL_SYMBOLS[name], "API")
    return Cost(_API_WEIGHTS.get(name, 2), "API")
