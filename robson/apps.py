from django.apps import AppConfig


class RobsonConfig(AppConfig):
    name = "robson"
    verbose_name = "Robson"
