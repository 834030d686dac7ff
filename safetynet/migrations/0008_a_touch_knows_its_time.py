"""When the price of a touch was received, so that the time until the exit can be told."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("safetynet", "0007_a_lease_ends_with_its_session")]
    operations = [
        migrations.AddField(
            "guardedposition",
            "touched_at",
            models.DateTimeField(help_text="When the price of that touch was received.", null=True),
        ),
    ]
