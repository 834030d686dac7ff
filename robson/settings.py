"""The one settings file. Everything that differs between machines comes from the environment."""

import hashlib
import os
from pathlib import Path

import dj_database_url

from robson import env, look, metrics
from robson.local import paths

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.flag("ROBSON_DEBUG")
SECRET_KEY = env.text("ROBSON_SECRET_KEY") or paths.local_secret("secret_key")
# Part of every client order id, so that two installations on one account never share one.
INSTALLATION_TAG = env.text("ROBSON_TAG") or hashlib.sha256(SECRET_KEY.encode()).hexdigest()[:6]
ALLOWED_HOSTS = env.words("ROBSON_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("ROBSON_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    # Before the admin, whose templates it replaces.
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "django_celery_results",
    "trading",
    "safetynet",
    "robson",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "robson.urls"
ASGI_APPLICATION = "robson.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL") or paths.local_database_url(),
        # Workers and the consumer keep their connection; the web process sets 0 (see asgi.py).
        conn_max_age=env.whole("ROBSON_DB_CONN_MAX_AGE", 600),
        conn_health_checks=True,
    )
}
# A database that hangs must become an error soon: nobody may wait for ever on a lock or a dead host.
DATABASES["default"].setdefault("OPTIONS", {}).update(
    connect_timeout=3,
    tcp_user_timeout=10_000,
    # The prepared claims are planned when they are warmed up, not when a stop is touched.
    options="-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=20s"
    " -c plan_cache_mode=force_generic_plan",
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LOGIN_URL = "admin:login"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

UNFOLD = look.UNFOLD
# Where Flower is, for the admin's sidebar; it asks for a password of its own.
FLOWER_URL = env.text("ROBSON_FLOWER_URL")

# Behind TLS (compose): set ROBSON_HTTPS=1. On loopback there is none.
ROBSON_HTTPS = env.flag("ROBSON_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = ROBSON_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if ROBSON_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ROBSON_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ROBSON_HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SILENCED_SYSTEM_CHECKS: list[str] = []

# Redis: the broker and the exclusion set. A hint, never the truth.
REDIS_URL = env.text("REDIS_URL") or paths.local_redis_url()
EXCLUSION_REDIS_TIMEOUT_S = 0.25

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = 86_400
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TRACK_STARTED = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "trading.execute_intent": {"queue": "exits"},
    "safetynet.exit_guard": {"queue": "exits"},
    "safetynet.poll_all": {"queue": "safetynet"},
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_SOFT_TIME_LIMIT = 50
CELERY_TASK_SEND_SENT_EVENT = True
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Longer than any task may live, so that a redelivery never overlaps its own task.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    # A broker that hangs is away: who publishes waits no longer than this. A worker's own question takes 1 s.
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    # Without it, publishing to a broker that is away waits six seconds whatever the next setting says.
    "max_retries": 0,
}
# An exit request must not wait for a broker that is away: the sweep and the next poll ask again.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BEAT_SCHEDULER = "robson.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_TIMEZONE = "UTC"

# The exchange. Any Binance-compatible host; live hosts only with ROBSON_LIVE=1 (trading.exchange.endpoints).
ROBSON_LIVE = env.flag("ROBSON_LIVE")
BINANCE = {
    name: env.text(name)
    for name in (
        "BINANCE_API_URL",
        "BINANCE_FAPI_URL",
        "BINANCE_STREAM_URL",
        "BINANCE_FSTREAM_URL",
        "BINANCE_WS_API_URL",
    )
}
# Signed into every order: with the back-end time-out it bounds how long an outcome can stay unclear.
ORDER_RECV_WINDOW_MS = env.whole("ROBSON_ORDER_RECV_WINDOW_MS", 3_000)
BACKEND_TIMEOUT_MS = env.whole("ROBSON_BACKEND_TIMEOUT_MS", 10_000)
# How long an executor may hold an intent before the sweep may take it over. Above every time-out of a send.
INTENT_LEASE_S = env.whole("ROBSON_INTENT_LEASE_S", 20)
HTTP_TIMEOUT_S = (2.0, float(env.decimal("ROBSON_HTTP_TIMEOUT_S", "5")))
FEE_RATE = env.decimal("ROBSON_FEE_RATE", "0.001")

POLL_INTERVAL_S = 20
# A consumer that has not done its whole job for this long is silent: the poll then drives Core's stops.
CONSUMER_SILENT_S = env.whole("ROBSON_CONSUMER_SILENT_S", 10)
FEED_AGE_LIMIT_S = env.whole("ROBSON_FEED_AGE_LIMIT_S", 5)

# Read by the process that tells alarms, and by nobody else: a bad value stops no process that trades.
ALARM_URLS = env.text("ROBSON_ALARM_URLS")
ALARM_DIGEST_AT = os.environ.get("ROBSON_ALARM_DIGEST_AT", "06:00").strip()
HEARTBEAT_URL = env.text("ROBSON_HEARTBEAT_URL")

METRICS_DIR = Path(env.text("PROMETHEUS_MULTIPROC_DIR") or paths.private_dir("metrics"))
# Before any module makes a metric: settings are read first in every process.
metrics.share_through(METRICS_DIR)

# Tests set it: an exchange call inside a transaction raises. In production it is logged as an error instead,
# since refusing to send an exit would be worse.
STRICT_TRANSACTIONS = env.flag("ROBSON_STRICT_TRANSACTIONS", default=DEBUG)

LOG_LEVEL = env.text("ROBSON_LOG_LEVEL", "INFO")
LOG_FORMAT = env.choice("ROBSON_LOG_FORMAT", ("console", "json"))
LOGGING_CONFIG = "robson.logs.configure"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"subject": {"()": "robson.logs.NameSubject"}},
    "formatters": {
        "console": {
            "()": "robson.logs.UtcFormatter",
            "format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        },
        "json": {"()": "robson.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["subject"]}
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        **{
            name: {"handlers": ["stderr"], "level": LOG_LEVEL, "propagate": False}
            # Uvicorn would bring a format of its own.
            for name in ("robson", "trading", "safetynet", "celery.beat", "django.request", "uvicorn")
        },
        # Pages that keep themselves up to date would fill the log.
        "uvicorn.access": {"level": "WARNING"},
        # At DEBUG these write down whole requests and frames: signatures, listen tokens, addresses with keys.
        **{name: {"level": "INFO"} for name in ("urllib3", "websockets", "aiohttp", "apprise", "binance")},
    },
}
