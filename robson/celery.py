"""The Celery application: three queues, so that a slow poll never delays an exit."""

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_init, worker_process_init
from django.db import close_old_connections
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "robson.settings")

QUEUES = ("exits", "safetynet", "default")

app = Celery("robson")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = tuple(Queue(name, routing_key=name) for name in QUEUES)
app.autodiscover_tasks()
# Without it Celery closes the database connection around every task, and each exit opens one.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize


@worker_init.connect
def name_the_process(sender: Any, **_: object) -> None:
    """Events and leases say which worker it was."""
    os.environ.setdefault("ROBSON_PROCESS", str(sender.hostname).partition("@")[0])


@worker_process_init.connect
def have_files_to_count_in(**_: object) -> None:
    """A child counts in files of its own: made here, not during its first exit."""
    # No sooner: metrics are made for the folder that the settings name.
    from trading import metrics

    metrics.FRAMES.labels(outcome="received").inc(0)


@task_prerun.connect
def drop_worn_connections(**_: object) -> None:
    """What Django does around a request: a connection that is too old or broken is replaced."""
    close_old_connections()


@task_postrun.connect
def write_bans(**_: object) -> None:
    """What the task was refused for goes into the event log once nothing waits for it any more."""
    from trading import bans

    bans.write()
