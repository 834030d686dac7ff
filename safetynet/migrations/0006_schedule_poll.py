"""The poll, in django-celery-beat's tables where the owner sees it. A poll that could not run in time expires."""

from django.db import migrations

NAME, TASK, QUEUE, EVERY_S = "Safety Net: poll", "safetynet.poll_all", "safetynet", 20


def schedule(apps, schema_editor):
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule")
    interval, _ = intervals.objects.get_or_create(every=EVERY_S, period="seconds")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME, defaults={"task": TASK, "interval": interval, "queue": QUEUE, "expire_seconds": EVERY_S}
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("safetynet", "0005_poll_knows_what_is_no_position"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(schedule, unschedule)]
