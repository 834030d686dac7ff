from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"
    verbose_name = "Core Trading"

    def ready(self) -> None:
        from trading import settling

        settling.register_settlement()
