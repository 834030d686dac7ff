"""The processes of Robson: what each is started with. docker-compose runs the same."""

import sys
from dataclasses import dataclass, field

from robson.local import simulator

WEB_PORT = 8000
FLOWER_PORT = 5555
# Long enough for an exit that is under way: its HTTP time-outs, and the record of it.
EXIT_GRACE_S = 30.0
_CELERY = ("celery", "-A", "robson", "--quiet")
_WORKER = ("--loglevel", "INFO", "--without-gossip", "--without-mingle")


@dataclass(frozen=True)
class Service:
    """One process. `arguments` start with a console script of this Python, or with `python`.

    `ready` is what tells that it has started: an address that answers, or a line of its log.
    """

    name: str
    arguments: tuple[str, ...]
    ready: str
    grace_s: float = 10.0
    environment: dict[str, str] = field(default_factory=dict)

    def command(self) -> list[str]:
        """The command line on this machine. The module form needs no console script on the PATH."""
        program, *rest = self.arguments
        return [sys.executable, *rest] if program == "python" else [sys.executable, "-m", program, *rest]


def web(host: str = "127.0.0.1", port: int = WEB_PORT) -> Service:
    options = ("--host", host, "--port", str(port), "--lifespan", "off", "--no-access-log")
    limits = ("--timeout-graceful-shutdown", "5")
    ready = f"http://127.0.0.1:{port}/"
    return Service("web", ("uvicorn", "robson.asgi:application", *options, *limits), ready)


def consumer() -> Service:
    return Service("consumer", ("python", "manage.py", "runconsumer"), "consumer is up", EXIT_GRACE_S)


def worker(queue: str, *, concurrency: int) -> Service:
    name = f"worker-{queue}"
    options = ("worker", "-Q", queue, "-n", f"{queue}@%h", "--concurrency", str(concurrency), *_WORKER)
    return Service(name, (*_CELERY, *options), " ready.", EXIT_GRACE_S)


def workers() -> list[Service]:
    """One for each queue: a slow poll, or a heap of housekeeping, never makes an exit wait."""
    return [
        worker("exits", concurrency=2),
        worker("safetynet", concurrency=1),
        worker("default", concurrency=1),
    ]


def beat() -> Service:
    return Service("beat", (*_CELERY, "beat", "--loglevel", "INFO", "--pidfile="), "beat: Starting")


def alarms() -> Service:
    """A process of its own: a channel that fails or hangs is nobody else's trouble."""
    return Service("alarms", ("python", "manage.py", "runalarms"), "alarms are up", grace_s=15.0)


def flower(host: str = "127.0.0.1", port: int = FLOWER_PORT) -> Service:
    """Needs FLOWER_BASIC_AUTH (`user:password`) in its environment: Flower can call off tasks."""
    options = ("flower", f"--address={host}", f"--port={port}")
    return Service("flower", (*_CELERY, *options), f"http://127.0.0.1:{port}/healthcheck")


def simulated_exchange(*, port: int, feed: str) -> Service:
    arguments = simulator.command(feed=feed, port=port)[1:]
    return Service("simulator", ("python", *arguments), f"http://127.0.0.1:{port}/sim/health")


def trading_services() -> list[Service]:
    """What must run for both modalities to work, in the order of starting."""
    return [*workers(), consumer(), beat()]
