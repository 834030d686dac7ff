"""A guard remembers which trades and balances its numbers come from, and asks for trades only when they change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("safetynet", "0001_initial")]
    operations = [
        migrations.AddField(
            "guardedposition",
            "first_trade_id",
            models.BigIntegerField(help_text="The trade that opened it.", null=True),
        ),
        migrations.AddField(
            "guardedposition",
            "seen_balances",
            models.CharField(blank=True, help_text="What it was derived from.", max_length=160, default=""),
            preserve_default=False,
        ),
    ]
