"""The reconciliation, every minute."""

from django.db import migrations

TASKS = (("Core: reconciliation with the exchange", "trading.reconcile", 60, "seconds", 50),)


def schedule(apps, schema_editor):
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule")
    tasks = apps.get_model("django_celery_beat", "PeriodicTask")
    for name, task, every, period, expires in TASKS:
        interval, _ = intervals.objects.get_or_create(every=every, period=period)
        tasks.objects.get_or_create(
            name=name,
            defaults={"task": task, "interval": interval, "queue": "default", "expire_seconds": expires},
        )


def unschedule(apps, schema_editor):
    names = [name for name, *_ in TASKS]
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=names).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0005_position_may_be_missing"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(schedule, unschedule)]
