from django.apps import AppConfig
from django.core.checks import Tags, register


class RobsonConfig(AppConfig):
    name = "robson"
    verbose_name = "Robson"

    def ready(self) -> None:
        # Celery's application comes first: tasks are sent by it, not by one that knows another broker.
        from robson import celery, checks, watchdogs

        celery.app.set_default()
        watchdogs.install()

        # A bare clone sets nothing in the environment: what looks there runs with `check --deploy` only.
        register(checks.alarms_can_be_told, Tags.security, deploy=True)
        register(checks.hosts_belong_together, Tags.security, deploy=True)
        register(checks.keys_are_there, Tags.database, deploy=True)
