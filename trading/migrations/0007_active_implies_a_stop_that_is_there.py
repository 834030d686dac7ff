"""NULL passes a check: an Active position could be without a stop. Now each value must be there."""

import trading.domain.lifecycle
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0006_schedule_reconciliation'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='position',
            name='active_implies_a_stop',
        ),
        migrations.AddConstraint(
            model_name='position',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', [trading.domain.lifecycle.PositionState['ACTIVE'], trading.domain.lifecycle.PositionState['EXITING']]), _negated=True), models.Q(('distance__gt', 0), ('distance__isnull', False), ('entry_price__gt', 0), ('entry_price__isnull', False), ('extreme_price__gt', 0), ('extreme_price__isnull', False), ('quantity__gt', 0), ('stop_price__gt', 0), ('stop_price__isnull', False)), _connector='OR'), name='active_implies_a_stop'),
        ),
    ]
