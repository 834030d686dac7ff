from django.db import migrations, models

NAME = "slot_symbol_is_upper_case"


class Migration(migrations.Migration):
    """Binance lists pairs that are not spelled in ASCII, and what is held there is guarded as well."""

    dependencies = [("trading", "0009_exits_know_their_trigger")]

    operations = [
        migrations.RemoveConstraint(model_name="slot", name=NAME),
        migrations.AddConstraint(
            model_name="slot",
            constraint=models.CheckConstraint(condition=models.Q(symbol__regex=r"^[^\s!-/:-@\[-~]+$"), name=NAME),
        ),
    ]
