"""The commit between a touched stop and its order, as one statement: one round trip, one fsync.

The ORM takes as long to build each of the five statements of that commit as PostgreSQL to execute it. The
rows are the very same: they are built as model instances, and their columns come from the models.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import psycopg
from django.db import connection, models

from trading.models import Event, OrderAttempt, OrderIntent, Position

_NOTHING = -1


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
    position: Position,
    *,
    state: str,
    columns: Mapping[str, Any],
    intent: OrderIntent,
    attempt: OrderAttempt,
    events: Sequence[Event],
) -> bool:
    """Lock the slot, move the position to `state`, insert the rows. False, with nothing done, if it cannot.

    It cannot unless the row still is what the caller holds: same state, same quantity. Must be called outside
    a transaction. Raises IntegrityError when another exit is live in the slot.
    """
    names = tuple(columns)
    sql = _sql(names, len(events))
    fields = {field.name: field for field in Position._meta.local_concrete_fields}
    changes = [fields[name].get_db_prep_save(columns[name], connection) for name in names]
    known = [position.slot_id, state, *changes, position.pk, position.state, position.quantity]
    inserted = [value for row in (intent, attempt, *events) for value in _values(row)]
    return _execute(sql, [*known, *inserted])


def warm(columns: Sequence[str], events: int) -> None:
    """Have the statement prepared on this thread's connection, by one that concerns no row."""
    nulls = [None] * len(columns)
    inserted = [None] * sum(len(_columns(model)) for model in _models(events))
    _execute(_sql(tuple(columns), events), [_NOTHING, "", *nulls, _NOTHING, "", 0, *inserted])


def _execute(sql: str, parameters: Sequence[Any]) -> bool:
    connection.ensure_connection()
    raw = connection.connection
    # Django's own cursors never prepare, so this concerns no other statement.
    raw.prepare_threshold = 0
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        cursor.execute(sql, parameters, prepare=True)
        return cursor.fetchone() is not None


def _models(events: int) -> list[type[models.Model]]:
    return [OrderIntent, OrderAttempt, *[Event] * events]


@cache
def _sql(names: tuple[str, ...], events: int) -> str:
    fields = {field.name: field for field in Position._meta.local_concrete_fields}
    changes = ", ".join(f'"{name}" = {_parameter(fields[name])}' for name in ("state", *names))
    inserts = f"intent AS ({_insert(OrderIntent)}), attempt AS ({_insert(OrderAttempt)})"
    inserts += f", event AS ({_insert(Event, events)})"
    # Every name in these texts is a model's own; every value is a parameter.
    lock = "slot AS MATERIALIZED (SELECT id FROM trading_slot WHERE id = %s::bigint FOR UPDATE)"
    known = "position.state = %s::varchar AND position.quantity = %s::numeric"
    mine = "position.id = %s::bigint AND position.slot_id = slot.id"
    update = f"UPDATE trading_position position SET {changes} FROM slot"  # noqa: S608 (see above)
    moved = f"moved AS ({update} WHERE {mine} AND {known} RETURNING position.id)"
    return " ".join(("WITH", ", ".join((lock, moved, inserts)), "SELECT id FROM moved"))


def _insert(model: type[models.Model], rows: int = 1) -> str:
    """Rows of one table in one statement, since PostgreSQL runs several in an order of its own."""
    columns = ", ".join(f'"{field.column}"' for field in _columns(model))
    values = ", ".join(_parameter(field) for field in _columns(model))
    selects = " UNION ALL ".join([f"SELECT {values} FROM moved"] * rows)  # noqa: S608 (see `_sql`)
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) {selects}'


@cache
def _columns(model: type[models.Model]) -> "tuple[models.Field[Any, Any], ...]":
    """All columns, but for the id of an event, which the database gives."""
    fields = model._meta.local_concrete_fields
    return tuple(field for field in fields if model is not Event or not field.primary_key)


def _values(row: models.Model) -> list[Any]:
    return [field.get_db_prep_save(field.pre_save(row, True), connection) for field in _columns(type(row))]


def _parameter(field: "models.Field[Any, Any]") -> str:
    # An id column is declared as an identity; what it holds is a number.
    kind = field.rel_db_type(connection) if field.primary_key else field.db_type(connection)
    return f"%s::{kind}"
