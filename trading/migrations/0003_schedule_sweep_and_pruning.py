"""Core's periodic tasks, in django-celery-beat's tables where the owner sees and edits them."""

from django.db import migrations

TASKS = (
    ("Core: sweep of due order intents", "trading.sweep", 2, "seconds", 10),
    ("Core: prune old events", "trading.prune_events", 1, "days", 3600),
)


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
        ("trading", "0002_events_are_append_only"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(schedule, unschedule)]
