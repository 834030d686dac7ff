"""The web process."""

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "robson.settings")
os.environ.setdefault("ROBSON_PROCESS", "web")
# One event loop serves many requests: a connection must not outlive its own.
os.environ.setdefault("ROBSON_DB_CONN_MAX_AGE", "0")

# Whitenoise hands files over piece by piece: that they are read in a thread is known and harmless.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

application = get_asgi_application()
