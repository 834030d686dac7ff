"""Django's system checks of what the environment says.

Processes that trade ask `trading.startup.require_exchange` as well when they start.
"""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db import Error as DatabaseError

from trading import queries, startup


def hosts_belong_together(**_: Any) -> list[CheckMessage]:
    """Live and simulated hosts never mix, and live ones need ROBSON_LIVE=1."""
    problem = startup.host_problem()
    return [Error(problem, id="robson.E001")] if problem else []


def alarms_can_be_told(**_: Any) -> list[CheckMessage]:
    """Addresses, time of day and heartbeat of the alarms are understood."""
    # Late: it loads apprise, which no process that trades does.
    from robson.alarms import config

    try:
        config.read()
    except config.BadConfig as problem:
        hint = "`manage.py runalarms` refuses to start until it is right; everything else runs without it."
        return [Error(str(problem), hint=hint, id="robson.E011")]
    return []


def keys_are_there(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Every active account's key and secret are in the environment. Asks the database only if told to."""
    if not databases:
        return []
    try:
        missing = startup.missing_variables(queries.active_accounts())
    except DatabaseError as error:
        return [Warning(f"The accounts cannot be read: {error}", id="robson.W002")]
    hint = "An account names it; without it the exchange cannot be asked."
    return [Warning(f"{name} is not set.", hint=hint, id="robson.W001") for name in missing]
