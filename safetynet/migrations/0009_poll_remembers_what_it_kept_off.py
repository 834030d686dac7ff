"""So that the event log tells once, and at each change, whose the poll took a position for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("safetynet", "0008_a_touch_knows_its_time")]
    operations = [
        migrations.AddField(
            "pollstate",
            "recognised",
            models.JSONField(
                default=dict, help_text="What the last poll said about the slots that it kept off, by slot."
            ),
        ),
    ]
