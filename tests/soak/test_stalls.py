"""A machine that stands still is noticed, from within."""

import signal
import subprocess
import sys
import time

WATCH = """
from tests.soak.outages import Outages
from tests.soak.stalls import Stalls
outages = Outages()
stalls = Stalls(outages)
stalls.start()
print("watching", flush=True)
input()
stalls.close()
print(f"{stalls.seconds:.1f}", [outage.what for outage in outages.during(0, 1e12)], flush=True)
"""


def test_a_standstill_is_an_outage_of_the_machine() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WATCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)  # what is tested is that time passes while nothing runs
        process.send_signal(signal.SIGCONT)
        time.sleep(0.5)  # for the sleeper to wake up
        process.stdin.write("\n")
        process.stdin.flush()
        seconds, _, what = process.stdout.readline().strip().partition(" ")

    assert float(seconds) >= 2.0
    assert what == "['machine']"
