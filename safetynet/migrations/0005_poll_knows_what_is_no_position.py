"""Collateral is looked into once, not at every poll."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("safetynet", "0004_a_touch_is_remembered")]
    operations = [
        migrations.AddField(
            "pollstate",
            "dismissed",
            models.JSONField(
                default=dict, help_text="Balances that have been looked into and are no position, by symbol."
            ),
        ),
    ]
