"""The Safety Net's metrics. Counted across processes through the files in `settings.METRICS_DIR`."""

from prometheus_client import Counter, Gauge

SKIPPED = Counter("safety_net_positions_skipped_total", "Positions left alone, by reason", ["reason"])
MONITORED = Counter("safety_net_positions_monitored_total", "Manual positions watched at a poll", ["symbol"])
POLLS = Counter("safety_net_polls_total", "Polls by outcome", ["account", "outcome"])
EXIT_REQUESTS = Counter("safety_net_exit_requests_total", "Exits asked for at a touch", ["symbol"])
LAST_SUCCESS = Gauge(
    "safety_net_last_poll_success_timestamp_seconds",
    "When the last poll without a failure ended (Unix time)",
    ["account"],
    multiprocess_mode="max",
)
