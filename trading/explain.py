"""Expected failures in words for a tired person: what happened, then what to do."""

from django.db import Error as DatabaseError
from django.db import OperationalError, ProgrammingError

from trading.arming import ArmRefused, DisarmRefused
from trading.exchange.endpoints import BadEndpoint, MixedHosts
from trading.exchange.errors import ExchangeError, NotSent, OutcomeUnknown, Refused, RetryLater, StopAndPage
from trading.gateway import MissingCredentials


class NotPossible(Exception):
    """What the owner asked for cannot be done; nothing was changed. The text says why and what to do."""


EXPECTED: tuple[type[Exception], ...] = (
    NotPossible,
    ArmRefused,
    DisarmRefused,
    MixedHosts,
    BadEndpoint,
    ExchangeError,
    DatabaseError,
)
"""Failures that are told in a sentence. Anything else is a defect, and its traceback is worth having."""


def explain(error: Exception) -> str:
    """One sentence for what happened and one for what to do about it."""
    if isinstance(error, ExchangeError) and not isinstance(error, MissingCredentials):
        return _exchange(error)
    if isinstance(error, DatabaseError):
        return _database(error)
    text = str(error).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _exchange(error: ExchangeError) -> str:
    if isinstance(error, NotSent):
        return f"The exchange cannot be reached ({error.message}). Check the network, then try again."
    if isinstance(error, RetryLater):
        return f"The exchange is turning requests away ({error}). Try again in {error.after_s:.0f} seconds."
    if isinstance(error, StopAndPage):
        return (
            f"The exchange refuses this key or this address ({error}). Check the key, its permissions "
            f"and its list of allowed addresses; wait {error.after_s:.0f} seconds before the next try."
        )
    if isinstance(error, Refused):
        return f"The exchange refused: {error}. Nothing was executed; correct what it names and try again."
    if isinstance(error, OutcomeUnknown):
        return f"The exchange did not answer clearly ({error}). See `robson positions` before trying again."
    return f"The exchange's answer makes no sense ({error}). Try again; if it stays so, report it."


def _database(error: DatabaseError) -> str:
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, ProgrammingError) and "does not exist" in first_line:
        return f"The database is not set up ({first_line}). Run `make run`, or `manage.py migrate`."
    if isinstance(error, OperationalError):
        return f"The database does not answer ({first_line}). Start it or check DATABASE_URL, then try again."
    return f"The database refused: {first_line}. Nothing was changed; please report this."
