"""What Robson does with the money: risk settings, orders under way, ownership, protection."""

import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from robson.doctor.findings import Check, Finding, failed, ok, warning
from robson.doctor.stores import client
from robson.holdings import unprotected
from safetynet.exclusions import set_name
from trading import queries
from trading.domain.clocks import latest
from trading.domain.lifecycle import LIVE_INTENT_STATES, IntentState
from trading.models import Account, OrderIntent

MUCH_RISK_PERCENT = Decimal(2)
USUAL_FEE_RATES = (Decimal("0.0001"), Decimal("0.005"))
# An entry or an exit between two reads is no disagreement.
LOOK_AGAIN_S = 0.5


def accounts() -> list[Finding]:
    """Risk settings that are allowed and still surprising."""
    active = queries.active_accounts()
    if not active:
        advice = "Make one in the admin, or with `robson arm`: until then nothing is guarded."
        return [failed("accounts", "there is no active account", advice)]
    return [*_shared_keys(active), *(_risk(account) for account in active), _fees()]


def _shared_keys(active: list[Account]) -> list[Finding]:
    twice = [name for name, number in Counter(one.api_key_env for one in active).items() if number > 1]
    if not twice:
        return []
    advice = "Switch one of them off: one account at Binance is to be guarded by one account here."
    return [failed("accounts", f"several accounts use {', '.join(twice)}", advice)]


def _risk(account: Account) -> Finding:
    name = f"risk:{account}"
    detail = f"{account.risk_percent.normalize():f} % of {account.capital.normalize():f} for each position"
    if account.risk_percent > MUCH_RISK_PERCENT:
        advice = (
            f"Lower the account's risk, unless you mean to lose more than {MUCH_RISK_PERCENT} % at a stop."
        )
        return warning(name, detail, advice)
    paused = ", entries are paused" if account.entries_paused else ""
    return ok(name, detail + paused)


def _fees() -> Finding:
    least, most = USUAL_FEE_RATES
    detail = f"{(settings.FEE_RATE * 100).normalize():f} % for each side"
    if least <= settings.FEE_RATE <= most:
        return ok("fees", detail)
    advice = "Set ROBSON_FEE_RATE to what you pay, as a share (0.001 is 0.1 %): sizes are computed with it."
    return warning("fees", detail, advice)


def orders() -> list[Finding]:
    """Orders whose outcome is unclear, and exits that do not come to an end."""
    now = timezone.now()
    live = OrderIntent.objects.filter(state__in=LIVE_INTENT_STATES)
    window = timedelta(milliseconds=settings.ORDER_RECV_WINDOW_MS + settings.BACKEND_TIMEOUT_MS)
    long_ago = now - window - timedelta(seconds=settings.INTENT_LEASE_S)
    old = live.filter(Q(created_at__lt=long_ago) | Q(created_at__gt=latest(now)))
    if not old.exists():
        return [ok("orders", f"{live.count()} under way, none for long")]
    unclear = old.filter(state=IntentState.UNKNOWN).count()
    oldest = old.order_by("created_at").select_related("slot__account")[0]
    detail = f"{old.count()} do not come to an end ({unclear} of them unclear), {oldest} first"
    because = f": {oldest.last_error}" if oldest.last_error else ""
    advice = "See the last error in the admin under Order intents and the exchange's own list of orders."
    return [failed("orders", detail + because, advice)]


def exclusion_sets() -> list[Finding]:
    return [_exclusion_set(account) for account in queries.active_accounts()]


def _exclusion_set(account: Account) -> Finding:
    name = f"exclusion set:{account}"
    differing = _differing(account)
    if differing:
        time.sleep(LOOK_AGAIN_S)
        differing = differing & _differing(account)
    if differing:
        advice = "Run `robson poll`, which rebuilds it; exits go by the database meanwhile."
        return warning(name, f"differs from the database in {', '.join(sorted(differing))}", advice)
    return ok(name, "agrees with the database")


def _differing(account: Account) -> set[str]:
    owned = {str(slot) for slot in queries.core_holdings(account)}
    with closing(client()) as redis:
        named = {str(one) for one in redis.smembers(set_name(account.name))}
    return owned ^ named


def protection() -> list[Finding]:
    found = unprotected(timezone.now())
    if not found:
        return [ok("protection", "nothing is without")]
    advice = "Start what is silent (`make run`), or close them: `robson panic`, or in Binance's app."
    return [
        failed("protection", f"{one.symbol} {one.side} of {one.account}: {one.unprotected_because}", advice)
        for one in found
    ]


CHECKS = (
    Check("accounts", accounts, needs=("database", "migrations")),
    Check("orders", orders, needs=("database", "migrations")),
    Check("exclusion set", exclusion_sets, needs=("database", "migrations", "redis")),
    Check("protection", protection, needs=("database", "migrations")),
)
