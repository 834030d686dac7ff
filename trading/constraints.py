"""Which of the database's constraints has refused a row."""

import psycopg
from django.db import IntegrityError


def refused_by(error: IntegrityError) -> str | None:
    """The constraint's name; None if the server does not tell."""
    cause = error.__cause__
    return cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
