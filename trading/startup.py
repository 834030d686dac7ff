"""What must hold before a process trades: hosts that belong together, and keys for every account."""

import os
from collections.abc import Iterable

from django.core.management.base import CommandError

from trading import gateway
from trading.exchange.endpoints import BadEndpoint, MixedHosts
from trading.models import Account


def host_problem() -> str | None:
    """Why the configured hosts may not be traded on, or None. Touches neither network nor database."""
    try:
        gateway.endpoints()
    except (MixedHosts, BadEndpoint) as problem:
        return str(problem)
    return None


def missing_variables(accounts: Iterable[Account]) -> list[str]:
    """The environment variables of keys and secrets that are named by accounts and not set."""
    named = {name for account in accounts for name in (account.api_key_env, account.api_secret_env)}
    return sorted(name for name in named if not os.environ.get(name))


def require_exchange(accounts: Iterable[Account] = ()) -> None:
    """Raises CommandError, in words, unless the hosts are fit to trade on and every account has its keys."""
    problem = host_problem()
    if problem:
        raise CommandError(problem)
    missing = missing_variables(accounts)
    if missing:
        raise CommandError(
            f"{' and '.join(missing)} not set: the exchange needs a key. Create one in its app, with margin "
            "trading and without withdrawals, and put it into the environment."
        )
