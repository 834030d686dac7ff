"""The commit between a touched stop and its order, as one statement: one round trip, one fsync.

The ORM takes as long to build each of the five statements of that commit as PostgreSQL to execute it. The
rows are the very same: they are built as model instances, and their columns come from the models.
"""

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import psycopg
from django.db import connection, models

from trading.models import Event, OrderAttempt, OrderIntent

_NOTHING = -1
Rows = tuple[OrderIntent, OrderAttempt, *tuple[Event, ...]]


@dataclass(frozen=True, slots=True)
class Provided:
    """What else must hold, in SQL, of the row (`this`). Each parameter stands as `%s`, with its cast.

    A statement that has to wait for the slot's lock judges by what was true before: `hold` the slot first.
    """

    sql: str
    parameters: tuple[Any, ...] = ()


ALWAYS = Provided("TRUE")


def hold(slot_id: int) -> None:
    """Lock the slot until the caller's transaction ends. `claims.lock_slot` brings its row, at a price."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM trading_slot WHERE id = %s FOR UPDATE", [slot_id])


def reserve_ids() -> tuple[int, int]:
    """Ids of an intent and an attempt to be inserted later; unused ones are gaps, and harmless."""
    tables = [OrderIntent._meta.db_table, OrderAttempt._meta.db_table]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')), nextval(pg_get_serial_sequence(%s, 'id'))",
            tables,
        )
        intent, attempt = cursor.fetchone()
        return int(intent), int(attempt)


def move_and_insert(
    row: Any,
    state: str,
    columns: Mapping[str, Any],
    rows: Rows,
    *,
    provided: Provided = ALWAYS,
    meanwhile: Callable[[], None] | None = None,
) -> bool:
    """Lock the row's slot, move the row to `state`, insert the rows. False, with nothing done, if it cannot.

    It cannot unless the row still is what the caller holds, same state and same quantity, and what is
    `provided` holds. `meanwhile` is called just before the wait for the database begins. Raises
    IntegrityError when another exit is live in the slot.
    """
    model: type[models.Model] = type(row)
    names = tuple(columns)
    sql = _sql(model, names, len(rows) - 2, provided.sql)
    known = [row.slot_id, state, *columns.values(), row.pk, row.state, row.quantity, *provided.parameters]
    inserted = [getattr(new, field.attname) for new in rows for field in _columns(type(new))]
    if meanwhile is not None:
        meanwhile()
    return _execute(sql, [*known, *inserted])


def warm(model: type[models.Model], columns: Sequence[str], events: int) -> None:
    """Have the statement prepared on this thread's connection, by one that concerns no row."""
    nulls = [None] * len(columns)
    inserted = [None] * sum(len(_columns(new)) for new in (OrderIntent, OrderAttempt, *[Event] * events))
    sql = _sql(model, tuple(columns), events, ALWAYS.sql)
    _execute(sql, [_NOTHING, "", *nulls, _NOTHING, "", 0, *inserted])


def _execute(sql: str, parameters: Sequence[Any]) -> bool:
    connection.ensure_connection()
    raw = connection.connection
    # Django's own cursors never prepare, so this concerns no other statement.
    raw.prepare_threshold = 0
    with connection.wrap_database_errors, psycopg.RawCursor(raw) as cursor:
        cursor.execute(sql, [_text(value) for value in parameters], prepare=True)
        return cursor.fetchone() is not None


def _text(value: Any) -> str | None:
    """A value as untyped text, which its parameter's cast understands.

    The driver takes a statement for another one when the type of a parameter changes: a larger id, a null.
    Its own ways to write a value cost a millisecond for them all, before anything is sent.
    """
    if value is None:
        return None
    if isinstance(value, dict):
        return json.dumps(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


@cache
def _sql(model: type[models.Model], names: tuple[str, ...], events: int, provided: str) -> str:
    fields = _fields(model)
    changes = ", ".join(f'"{name}" = {_parameter(fields[name])}' for name in ("state", *names))
    inserts = f"intent AS ({_insert(OrderIntent)}), attempt AS ({_insert(OrderAttempt)})"
    inserts += f", event AS ({_insert(Event, events)})"
    # Every name in these texts is a model's own; every value is a parameter.
    lock = "slot AS MATERIALIZED (SELECT id FROM trading_slot WHERE id = %s::bigint FOR UPDATE)"
    known = f"this.state = %s::varchar AND this.quantity = %s::numeric AND ({provided})"
    mine = "this.id = %s::bigint AND this.slot_id = slot.id"
    update = f"UPDATE {model._meta.db_table} this SET {changes} FROM slot"  # noqa: S608 (see above)
    moved = f"moved AS ({update} WHERE {mine} AND {known} RETURNING this.id)"
    return _numbered(" ".join(("WITH", ", ".join((lock, moved, inserts)), "SELECT id FROM moved")))


def _numbered(sql: str) -> str:
    """PostgreSQL's own placeholders: the driver reads a text with as many others anew at each execution."""
    numbers = itertools.count(1)
    return re.sub("%s", lambda _: f"${next(numbers)}", sql)


def _insert(model: type[models.Model], rows: int = 1) -> str:
    """Rows of one table in one statement, since PostgreSQL runs several in an order of its own."""
    columns = ", ".join(f'"{field.column}"' for field in _columns(model))
    values = ", ".join(_parameter(field) for field in _columns(model))
    selects = " UNION ALL ".join([f"SELECT {values} FROM moved"] * rows)  # noqa: S608 (see `_sql`)
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) {selects}'


def _fields(model: type[models.Model]) -> "dict[str, models.Field[Any, Any]]":
    return {field.name: field for field in model._meta.local_concrete_fields}


@cache
def _columns(model: type[models.Model]) -> "tuple[models.Field[Any, Any], ...]":
    """All columns, but for the id of an event, which the database gives."""
    fields = model._meta.local_concrete_fields
    return tuple(field for field in fields if model is not Event or not field.primary_key)


def _parameter(field: "models.Field[Any, Any]") -> str:
    # An id column is declared as an identity; what it holds is a number.
    kind = field.rel_db_type(connection) if field.primary_key else field.db_type(connection)
    return f"%s::{kind}"
