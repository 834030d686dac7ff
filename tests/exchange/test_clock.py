"""Whoever sets the machine's clock moves neither the prices' times nor the orders'."""

import os
import subprocess
import sys

from robson.local.simulator import SimulatorProcess

# What the machine's clock says is decided before anything of Robson's can have a look at it.
CLOCK_IS_SET = """
import time
really, ahead_s = time.time, 0.0
time.time = lambda: really() + ahead_s

import os
import django
django.setup()
from trading import gateway
from trading.exchange.endpoints import Endpoints
from trading.exchange.rest import BinanceMargin

key, secret = os.environ["BINANCE_API_KEY"], os.environ["BINANCE_API_SECRET"]
exchange = BinanceMargin(Endpoints.from_values(os.environ), api_key=key, api_secret=secret)
exchange.sync_clock()
stream_ms = gateway.exchange_clock()
for ahead_s in (3_600.0, -3_600.0):
    print(abs(exchange.price("BTCUSDT").time_ms - really() * 1000) < 5_000)
    print(abs(stream_ms() - really() * 1000) < 5_000)
    # Signed, and nobody had to measure again.
    offset = exchange._caller._settings.offset.ms
    print(len(exchange.margin_pairs(["BTCUSDT"])), exchange._caller._settings.offset.ms == offset)
"""


def test_prices_and_orders_keep_their_time_when_the_clock_is_set(simulator: SimulatorProcess) -> None:
    simulator.control.price("BTCUSDT", "60000")
    environment = {**os.environ, **simulator.environment()}
    program = [sys.executable, "-c", CLOCK_IS_SET]
    done = subprocess.run(program, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["True", "True", "1", "True"] * 2, "")
