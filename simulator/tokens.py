"""Listen tokens: the right to follow one pair's user data for a while."""

import secrets
from dataclasses import dataclass

from simulator import errors

LONGEST_MS = 24 * 3_600_000
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class ListenToken:
    """Whose events, of which pair (None for cross margin, which has none here), until when."""

    token: str
    api_key: str
    symbol: str | None
    expires_ms: int


class Tokens:
    """Every token issued and not yet forgotten."""

    def __init__(self) -> None:
        self._tokens: dict[str, ListenToken] = {}

    def issue(self, api_key: str, symbol: str | None, *, validity_ms: int, now_ms: int) -> ListenToken:
        """A fresh token; earlier ones stay valid until they expire."""
        if len(self._tokens) >= KEPT:
            self._tokens = {key: one for key, one in self._tokens.items() if one.expires_ms > now_ms}
        token = ListenToken(secrets.token_urlsafe(48), api_key, symbol, now_ms + validity_ms)
        self._tokens[token.token] = token
        return token

    def resolve(self, token: str, now_ms: int) -> ListenToken:
        """The token's meaning. Raises -1209 for an unknown or expired one."""
        found = self._tokens.get(token)
        if found is None or found.expires_ms <= now_ms:
            raise errors.invalid_listen_token()
        return found

    def clear(self) -> None:
        """Forget all tokens."""
        self._tokens.clear()
