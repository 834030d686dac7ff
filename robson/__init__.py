"""The Django project: settings, processes and pages. No trading logic."""

from robson.celery import app as celery_app

__all__ = ["celery_app"]
