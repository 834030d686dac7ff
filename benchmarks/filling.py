"""Years of history in a minute: rows made by the database itself, as the constraints want them."""

from django.db import connection

POSITIONS, EVENTS, GUARDS = 100_000, 1_000_000, 20_000
SYMBOLS, LIVE = 200, 100

_SLOTS = """
INSERT INTO trading_slot (account_id, venue, symbol, side)
SELECT account.id, 'isolated_margin', 'C' || n || 'USDT', side
FROM trading_account account, generate_series(1, %(symbols)s) n, unnest(ARRAY['long', 'short']) side
"""
# The newest are open, each in a slot of its own; all others are over.
_POSITIONS = """
INSERT INTO trading_position (slot_id, state, capital, risk_percent, fast_period, slow_period, interval,
    stop_kind, stop_value, signal_id, quantity, entry_price, distance, stop_price, extreme_price,
    extreme_time_ms, binance_position_id, exit_reason, exit_price, exit_quantity, realised_pnl, armed_at,
    opened_at, closed_at, note)
SELECT slots.ids[1 + n %% array_length(slots.ids, 1)],
    CASE WHEN n > %(rows)s - %(open)s THEN 'active' WHEN n %% 10 = 0 THEN 'cancelled' ELSE 'closed' END,
    1000, 1, 9, 21, '15m', 'percent', 2, '', 0.01, 60000, 1200, 58800, 60000, 0, n::text,
    CASE WHEN n > %(rows)s - %(open)s THEN '' ELSE 'trailing stop' END, 59000, 0.01, -10,
    now() - (%(rows)s - n) * interval '5 minutes', now() - (%(rows)s - n) * interval '5 minutes',
    CASE WHEN n > %(rows)s - %(open)s THEN NULL ELSE now() - (%(rows)s - n) * interval '4 minutes' END, ''
FROM generate_series(1, %(rows)s) n, (SELECT array_agg(id) AS ids FROM trading_slot) slots
"""
_INTENTS = """
INSERT INTO trading_orderintent (slot_id, purpose, owner, position_id, state, reason, order_side, quantity,
    attempts_made, refusals, lease_holder, next_attempt_at, executed_quantity, executed_quote, last_error,
    created_at, settled_at)
SELECT slot_id, 'exit', 'core', id, 'done', 'trailing stop', 'SELL', 0.01, 1, 0, '', armed_at, 0.01, 590, '',
    armed_at, armed_at
FROM trading_position
"""
_ATTEMPTS = """
INSERT INTO trading_orderattempt (intent_id, number, client_order_id, status, timestamp_ms, quantity,
    order_id, error_code, error, created_at, answered_at)
SELECT id, 1, 'b' || id, 'executed', 0, 0.01, id::text, 0, '', created_at, created_at FROM trading_orderintent
"""
_FILLS = """
INSERT INTO trading_fill (attempt_id, slot_id, trade_id, price, quantity, commission, commission_asset,
    traded_at)
SELECT attempt.id, intent.slot_id, attempt.id, 59000, 0.01, 0.1, 'USDT', attempt.created_at
FROM trading_orderattempt attempt JOIN trading_orderintent intent ON intent.id = attempt.intent_id
"""
_EVENTS = """
INSERT INTO trading_event (at, kind, slot_id, position_id, intent_id, data, source)
SELECT position.armed_at + n * interval '1 second',
    (ARRAY['position.armed', 'position.entering', 'intent.claimed', 'intent.sent', 'intent.filled',
        'position.activated', 'position.stop_raised', 'position.exit_requested', 'intent.settled',
        'position.closed'])[n],
    position.slot_id, position.id, intent.id, '{"stop": "58800", "before": "58700"}', 'consumer:1'
FROM trading_position position JOIN trading_orderintent intent ON intent.position_id = position.id,
    generate_series(1, %(per_position)s) n ORDER BY 1
"""
_GUARDS = """
INSERT INTO safetynet_guardedposition (slot_id, state, quantity, entry_price, entry_is_provisional,
    stop_price, last_trade_id, seen_balances, last_price, last_seen_at, end_reason, opened_at, closed_at)
SELECT slots.ids[1 + n %% array_length(slots.ids, 1)],
    CASE WHEN n > %(rows)s - %(open)s THEN 'guarding' ELSE 'closed' END, 0.5, 3000, false, 2940, n, '',
    2990, now(), CASE WHEN n > %(rows)s - %(open)s THEN '' ELSE 'closed by hand' END,
    now() - (%(rows)s - n) * interval '1 hour',
    CASE WHEN n > %(rows)s - %(open)s THEN NULL ELSE now() END
FROM generate_series(1, %(rows)s) n, (SELECT array_agg(id) AS ids FROM trading_slot) slots
"""
_EXEMPTIONS = """
INSERT INTO safetynet_exemption (slot_id, reason, until, created_at, created_by)
SELECT slot_id, 'benchmark', opened_at + interval '1 day', opened_at, 'owner' FROM safetynet_guardedposition
"""
_RESULTS = """
INSERT INTO django_celery_results_taskresult (task_id, task_name, status, content_type, content_encoding,
    result, date_created, date_done)
SELECT 'task-' || n, 'trading.reconcile', 'SUCCESS', 'application/json', 'utf-8', 'null', now(), now()
FROM generate_series(1, %(rows)s) n
"""
# A hundred of a kind that a million others outnumber.
_RARE = """
INSERT INTO trading_event (at, kind, data, source)
SELECT now() - n * interval '1 day', 'account.paused', '{"account": "main"}', 'web:1'
FROM generate_series(1, 100) n
"""


def fill(*, positions: int = POSITIONS, guards: int = GUARDS, events: int = EVENTS, live: int = LIVE) -> None:
    """Fill an empty database that has accounts. Events are spread over the positions.

    `live` positions and as many guards are not over.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(_SLOTS, {"symbols": SYMBOLS})
        cursor.execute(_POSITIONS, {"rows": positions, "open": live})
        for statement in (_INTENTS, _ATTEMPTS, _FILLS):
            cursor.execute(statement)
        # First, so that they are the furthest from where the list begins.
        cursor.execute(_RARE)
        cursor.execute(_EVENTS, {"per_position": events // positions})
        cursor.execute(_GUARDS, {"rows": guards, "open": live})
        cursor.execute(_EXEMPTIONS)
        cursor.execute(_RESULTS, {"rows": guards})
        cursor.execute("ANALYZE")
        cursor.execute("RESET statement_timeout")
