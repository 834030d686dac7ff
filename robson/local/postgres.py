"""A PostgreSQL of Robson's own, from a wheel, on a socket that only its owner can reach."""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from robson.local import children, logfiles, paths
from robson.local.accounts import Account, identity, installation, place_data, server_account

logger = logging.getLogger("robson.local")

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_POLL_S = 0.03
_OPTIONS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "fsync": "on",
    "io_method": "sync",
    # The folder of the socket is shut as well; root may enter both.
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class PostgresError(RuntimeError):
    """The local PostgreSQL did not start or stop."""


@dataclass(frozen=True)
class Cluster:
    """One data folder and all that is needed to run a server on it."""

    data: Path
    sockets: Path
    programs: Path
    account: Account | None


def start() -> None:
    """Start the local PostgreSQL, or attach to it if it runs, and create the database if it is missing.

    Callers hold the start lock (see servers.py). Raises PostgresError with the end of the server's log.
    """
    if not answers():
        cluster = _prepared_cluster()
        _run(cluster)
    _ensure_database()


def stop() -> None:
    """Stop the local PostgreSQL, open connections included. Does nothing when it does not run."""
    server = _server_process(_data_folder())
    if server is None:
        return
    # Fast, then immediate, then by force. The database survives each of them.
    for step in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(psutil.NoSuchProcess):
            server.send_signal(step)
        try:
            server.wait(_STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            logger.warning("PostgreSQL did not stop on %s", step.name)
        else:
            return
    raise PostgresError(f"PostgreSQL (process {server.pid}) does not stop.")


def answers() -> bool:
    """Whether the local PostgreSQL accepts a connection now."""
    try:
        _connect().close()
    except psycopg.OperationalError:
        return False
    return True


def pid() -> int | None:
    """The process id of the running server, or None."""
    server = _server_process(_data_folder())
    return server.pid if server else None


def _connect() -> psycopg.Connection:
    return psycopg.connect(
        host=str(paths.socket_dir()),
        port=5432,
        user=paths.DATABASE,
        dbname="postgres",
        autocommit=True,
        connect_timeout=5,
    )


def _data_folder() -> Path:
    return paths.postgres_dir() / "data-18"


def _prepared_cluster() -> Cluster:
    account = server_account()
    place_data(account)
    cluster = Cluster(_data_folder(), paths.socket_dir(), installation(account), account)
    _prepare_sockets(cluster)
    if not cluster.data.exists():
        _initialise(cluster)
    return cluster


def _prepare_sockets(cluster: Cluster) -> None:
    folder = cluster.sockets
    if folder == cluster.data.parent:
        return
    owner = cluster.account.uid if cluster.account else os.geteuid()
    paths.make_folder(folder, 0o700)
    found = folder.lstat()
    if found.st_uid == os.geteuid() and cluster.account:
        os.chown(folder, cluster.account.uid, cluster.account.gid)
    elif found.st_uid != owner or folder.is_symlink() or found.st_mode & 0o077:
        raise PostgresError(
            f"{folder} belongs to somebody else. Remove it, or set ROBSON_HOME to a shorter path."
        )


def _initialise(cluster: Cluster) -> None:
    logger.warning("Creating a local PostgreSQL in %s", cluster.data)
    partial = cluster.data.with_name(f"{cluster.data.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    # The folder of the socket is what keeps others out, so connections on it need no password.
    command = [str(cluster.programs / "bin/initdb"), "-D", str(partial), "-U", paths.DATABASE]
    command += ["--auth=trust", "--encoding=UTF8", "--no-locale"]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env=_environment(),
        **identity(cluster.account),
    )
    if done.returncode != 0:
        raise PostgresError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
    # Killed half-way, it leaves a partial folder behind, never half a database under the real name.
    partial.rename(cluster.data)


def _run(cluster: Cluster) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    child: subprocess.Popen[bytes] | None = None
    while not answers():
        if time.monotonic() > deadline:
            raise PostgresError(f"PostgreSQL did not start in {_START_TIMEOUT_S:.0f} seconds.\n{_log_tail()}")
        if child is not None and child.poll() is not None and not _processes(cluster.data):
            raise PostgresError(f"PostgreSQL did not start.\n{_log_tail()}")
        # Whoever is still there is starting, stopping, or the rest of a server that was killed: wait for it.
        if not _processes(cluster.data):
            _forget_dead_server(cluster)
            child = _spawn(cluster)
        time.sleep(_POLL_S)


def _spawn(cluster: Cluster) -> subprocess.Popen[bytes]:
    command = [str(cluster.programs / "bin/postgres"), "-D", str(cluster.data), "-k", str(cluster.sockets)]
    for name, value in _OPTIONS.items():
        command += ["-c", f"{name}={value}"]
    with logfiles.append("postgres") as log:
        return children.spawn_server(command, log=log, env=_environment(), who=identity(cluster.account))


def _forget_dead_server(cluster: Cluster) -> None:
    # PostgreSQL refuses to start when another process has been given the id in a stale file.
    for stale in (cluster.data / "postmaster.pid", cluster.sockets / ".s.PGSQL.5432.lock"):
        stale.unlink(missing_ok=True)


def _ensure_database() -> None:
    with _connect() as connection:
        known = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [paths.DATABASE]
        ).fetchone()
        if not known:
            connection.execute(f'CREATE DATABASE "{paths.DATABASE}"'.encode())


def _server_process(data: Path) -> psutil.Process | None:
    try:
        found = psutil.Process(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
        return found if _works_in(found, data) else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


def _processes(data: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _works_in(process, data)]


def _works_in(process: psutil.Process, data: Path) -> bool:
    # Each process of a server works in its data folder. Unlike an id, that is not taken over by chance.
    try:
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == data
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _log_tail() -> str:
    return logfiles.tail("postgres")
