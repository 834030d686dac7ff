"""When the machine itself stood still: nothing on it could protect anything, and no clock may blame it."""

import threading
import time

from tests.soak.outages import Outages

STEP_S = 0.25
# Far above what a busy machine makes a sleeping thread wait.
STALLED_S = 2.0


class Stalls(threading.Thread):
    """Does nothing but sleep and see whether it was woken in time. A stall is an outage named `machine`."""

    def __init__(self, outages: Outages) -> None:
        super().__init__(name="stalls", daemon=True)
        self.seconds = 0.0
        self._outages = outages
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()
        self.join()

    def run(self) -> None:
        before = time.time()
        while not self._closed.wait(STEP_S):
            now = time.time()
            if now - before > STALLED_S:
                self.seconds += now - before
                self._outages.add(f"the machine stood still for {now - before:.1f} s", "machine", before, now)
            before = now
