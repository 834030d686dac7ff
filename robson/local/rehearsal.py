"""The exchange of a running `make run`, for commands in another terminal."""

import json
import os
import sys
from pathlib import Path

from robson import env
from robson.local import locks, paths
from robson.local.simulator import Simulator

_VARIABLES = ("BINANCE_API_URL", "BINANCE_API_KEY")


def announce(simulator: Simulator) -> None:
    """Leave the address for other terminals until `withdraw`."""
    paths.replace_file(_file(), json.dumps({"port": simulator.port}))


def withdraw() -> None:
    """The exchange is gone."""
    _file().unlink(missing_ok=True)


def adopt() -> None:
    """Trade against the simulator of a running `make run`, unless the environment names an exchange.

    Nothing is adopted from a run that has ended, and never when ROBSON_LIVE or a key is set.
    """
    live = env.flag("ROBSON_LIVE")
    if live or any(os.environ.get(name) for name in _VARIABLES) or not _is_running():
        return
    try:
        simulator = Simulator(int(json.loads(_file().read_text(encoding="utf-8"))["port"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return
    os.environ.update(simulator.environment())
    sys.stderr.write(f"(the simulator of the running `make run`, {simulator.url})\n")


def _is_running() -> bool:
    lock = locks.try_lock(paths.private_dir("run") / "runlocal.lock")
    if lock is None:
        return True
    os.close(lock)
    return False


def _file() -> Path:
    return paths.private_dir("run") / "exchange.json"
