from django.apps import AppConfig


class SafetyNetConfig(AppConfig):
    name = "safetynet"
    verbose_name = "Safety Net"

    def ready(self) -> None:
        from safetynet import exclusions, services

        exclusions.listen()
        services.register_settlement()
