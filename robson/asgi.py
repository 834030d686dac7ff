"""The web process."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "robson.settings")
os.environ.setdefault("ROBSON_PROCESS", "web")
# One event loop serves many requests: a connection must not outlive its own.
os.environ.setdefault("ROBSON_DB_CONN_MAX_AGE", "0")

application = get_asgi_application()
