"""A surplus beside a Core position is guarded without ever touching Core's part."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("safetynet", "0002_guard_names_its_sources")]
    operations = [
        migrations.AddField(
            "guardedposition",
            "beside_position_id",
            models.BigIntegerField(
                help_text="The Core position in the same slot, beside which this is the owner's surplus.", null=True
            ),
        ),
    ]
