"""The process of `crash_lab`, from the side of the test that uses it."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from robson.local.simulator import SimulatorProcess
from tests.faults.crash_lab import Batch, Outcome
from tests.live import database_url
from tests.trading.support import PROJECT

RECV_WINDOW_MS, BACKEND_TIMEOUT_MS, LEASE_S = 1_000, 500, 2
QUICK = {
    "DJANGO_SETTINGS_MODULE": "robson.settings",
    "ROBSON_ORDER_RECV_WINDOW_MS": str(RECV_WINDOW_MS),
    "ROBSON_BACKEND_TIMEOUT_MS": str(BACKEND_TIMEOUT_MS),
    "ROBSON_INTENT_LEASE_S": str(LEASE_S),
    "ROBSON_HTTP_TIMEOUT_S": "0.6",
}


class Lab:
    """Runs cases in forks of one process, which is started when the first is run."""

    def __init__(self, simulator: SimulatorProcess, log: Path) -> None:
        self._environment = {**simulator.environment(), **QUICK}
        self._path, self._log = log, log.open("w")
        self._process: subprocess.Popen[str] | None = None

    def run(self, batch: Batch) -> Outcome:
        """What became of these cases."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(batch)) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, self.log()
        return Outcome(**json.loads(answer))

    def log(self) -> str:
        """The end of what the processes have logged."""
        return self._path.read_text()[-5_000:]

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._log.close()

    def _start(self) -> subprocess.Popen[str]:
        # Not before a test has its database: only then its name is known.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crash_lab"],
            cwd=PROJECT,
            env={**os.environ, "DATABASE_URL": database_url(), **self._environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        return self._process
