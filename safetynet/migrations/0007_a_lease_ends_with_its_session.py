"""The poll of a process that was killed does not shut out the next one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("safetynet", "0006_schedule_poll")]
    operations = [
        migrations.AddField(
            "pollstate",
            "lease_session",
            models.CharField(
                max_length=64,
                blank=True,
                default="",
                help_text="The database session of its holder: gone with it, so is the lease.",
            ),
            preserve_default=False,
        ),
    ]
