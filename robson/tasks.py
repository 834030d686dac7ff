"""Celery tasks of the project itself."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from robson import alarms
from robson.alarms import pruning


@shared_task(name="robson.prune_alarms")
def prune_alarms() -> int:
    """Delete alarms older than the keeping time, and nothing else."""
    return pruning.prune(before=timezone.now() - timedelta(days=alarms.KEEP_DAYS))
