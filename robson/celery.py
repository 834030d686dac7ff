"""The Celery application: three queues, so that a slow poll never delays an exit."""

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "robson.settings")

QUEUES = ("exits", "safetynet", "default")

app = Celery("robson")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = tuple(Queue(name, routing_key=name) for name in QUEUES)
app.autodiscover_tasks()
