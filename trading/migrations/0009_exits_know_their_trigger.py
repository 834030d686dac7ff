"""When the trigger of an exit was known, so that the time until its order and its fill can be told."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0008_an_intent_is_never_cancelled")]
    operations = [
        migrations.AddField(
            "orderintent",
            "triggered_at",
            models.DateTimeField(
                blank=True,
                help_text="Exits: when the price that touched the stop was received, or somebody asked.",
                null=True,
            ),
        ),
    ]
