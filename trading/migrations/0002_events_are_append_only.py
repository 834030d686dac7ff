"""The event log cannot be rewritten, not even by a mistake in SQL: only the pruning task may delete."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION robson_keep_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('robson.pruning', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'events are append-only (% of event %)', lower(TG_OP), OLD.id;
END $$;
CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE ON trading_event
    FOR EACH ROW EXECUTE FUNCTION robson_keep_event();
"""

BACKWARD = """
DROP TRIGGER events_are_append_only ON trading_event;
DROP FUNCTION robson_keep_event();
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
