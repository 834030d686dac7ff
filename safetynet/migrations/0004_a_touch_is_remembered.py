"""A touched stop stays touched, although the broker is away and the price comes back meanwhile."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("safetynet", "0003_guard_beside_core")]
    operations = [
        migrations.AddField(
            "guardedposition",
            "touched_price",
            models.DecimalField(
                decimal_places=12,
                help_text="Set by the touch of the stop: an exit is due.",
                max_digits=30,
                null=True,
            ),
        ),
    ]
