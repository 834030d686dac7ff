"""Core's metrics. Counted across processes through the files in `settings.METRICS_DIR`."""

from prometheus_client import Counter, Histogram

EXCHANGE_CALLS = Counter(
    "robson_exchange_calls_total", "Calls to the exchange by outcome", ["call", "outcome"]
)
EXCHANGE_SECONDS = Histogram(
    "robson_exchange_call_seconds",
    "Duration of calls to the exchange",
    ["call"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
INTENTS = Counter("robson_order_intents_total", "Settled order intents", ["owner", "purpose", "state"])
FRAMES = Counter("robson_market_frames_total", "Market frames by what became of them", ["outcome"])
EXIT_SECONDS = Histogram(
    "robson_trigger_to_order_seconds",
    "From the price that touched a stop to the answer to the exit order",
    ["owner"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20),
)
