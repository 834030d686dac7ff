"""Who starts and stops the local servers: the first who needs them, and the last who leaves."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from robson.local import children, locks, paths, postgres, redis


@dataclass(frozen=True)
class Server:
    """One kind of server. Its URL in the environment says that there is one already."""

    name: str
    variable: str
    start: Callable[[], None]
    stop: Callable[[], None]
    url: Callable[[], str]


@dataclass(frozen=True)
class Lease:
    """Keeps local servers up until `release`, or until this process ends, however it ends."""

    held: list[tuple[Server, int]]


SERVERS = (
    Server("postgres", "DATABASE_URL", postgres.start, postgres.stop, paths.local_database_url),
    Server("redis", "REDIS_URL", redis.start, redis.stop, paths.local_redis_url),
)


def acquire() -> Lease:
    """Make sure that PostgreSQL and Redis can be reached, and put their URLs into the environment.

    A server named by DATABASE_URL or REDIS_URL is taken as it is. Children inherit the URLs, and so never
    start servers of their own. Raises PostgresError, RedisError or LockTimeoutError.
    """
    os.environ["ROBSON_HOME"] = str(paths.data_dir())
    lease = Lease([])
    try:
        for server in SERVERS:
            if not os.environ.get(server.variable):
                lease.held.append((server, _join(server)))
                os.environ[server.variable] = server.url()
    except BaseException:
        release(lease)
        raise
    return lease


def release(lease: Lease) -> None:
    """Give the servers back. Those that no other process uses are stopped."""
    while lease.held:
        server, descriptor = lease.held.pop()
        os.environ.pop(server.variable, None)
        with _alone(server):
            if locks.leave(descriptor):
                server.stop()
    children.reap_servers()


@contextmanager
def running() -> Iterator[None]:
    """Have the servers up inside the block."""
    lease = acquire()
    try:
        yield
    finally:
        release(lease)


def _join(server: Server) -> int:
    with _alone(server):
        descriptor = locks.join(paths.private_dir("run") / f"{server.name}.users")
        try:
            server.start()
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _alone(server: Server) -> AbstractContextManager[None]:
    return locks.exclusive(paths.private_dir("run") / f"{server.name}.lock")
