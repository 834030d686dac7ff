"""The Safety Net's metrics. Counted across processes through the files in `settings.METRICS_DIR`."""

from prometheus_client import Counter, Histogram

SKIPPED = Counter("safety_net_positions_skipped_total", "Positions left alone, by reason", ["reason"])
MONITORED = Counter("safety_net_positions_monitored_total", "Manual positions watched at a poll", ["symbol"])
POLLS = Counter(
    "safety_net_polls_total", "Polls by outcome; busy: another one was under way", ["account", "outcome"]
)
EXIT_REQUESTS = Counter("safety_net_exit_requests_total", "Exits asked for at a touch", ["symbol"])
DURATION = Histogram(
    "safety_net_poll_duration_seconds",
    "How long a poll took, the exits that it executed itself included",
    ["account"],
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40),
)
LAG = Histogram(
    "safety_net_poll_lag_seconds",
    "How much more than one interval after the one before it a poll began",
    ["account"],
    buckets=(0.1, 0.5, 1, 2, 5, 10, 20, 40, 60, 300),
)
