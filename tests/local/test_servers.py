"""Servers start on demand, are shared, survive their starters, and go with the last who used them."""

import os
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis

from robson.local import accounts, paths, postgres
from tests.local.holder import Holder, servers_of

Hold = Callable[..., Holder]
_NOBODY = accounts.Account(65534, 65534)
# Another user, who may read this Python wherever it is installed, and nothing more.
_AS_NOBODY = ["setpriv", f"--reuid={_NOBODY.uid}", f"--regid={_NOBODY.gid}", "--clear-groups"]
_AS_NOBODY += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]


def _select(holder: Holder, query: LiteralString) -> tuple[object, ...] | None:
    with psycopg.connect(holder.database_url) as connection:
        return connection.execute(query).fetchone()


def _pings(holder: Holder) -> bool:
    with redis.Redis.from_url(holder.redis_url) as client:
        return bool(client.ping())


def test_the_last_process_to_leave_stops_the_servers(home: Path, hold: Hold) -> None:
    first = hold().wait_until_up()
    second = hold().wait_until_up()
    first.finish()
    assert _select(second, "SELECT 1") == (1,)
    assert _pings(second)
    second.finish()
    assert servers_of(home) == []


def test_processes_that_start_at_the_same_moment_share_one_server_each(fresh_home: Path, hold: Hold) -> None:
    together = [hold(fresh_home) for _ in range(3)]
    for holder in together:
        holder.wait_until_up()
    assert len({holder.postgres for holder in together}) == 1
    assert len({holder.redis for holder in together}) == 1


def test_servers_of_a_killed_starter_are_attached_to_and_then_stopped(home: Path, hold: Hold) -> None:
    first = hold().wait_until_up()
    first.kill()
    second = hold().wait_until_up()
    assert (second.postgres, second.redis) == (first.postgres, first.redis)
    second.finish()
    assert servers_of(home) == []


def test_killed_servers_come_back_with_their_data(hold: Hold) -> None:
    first = hold().wait_until_up()
    with psycopg.connect(first.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    os.kill(first.postgres, signal.SIGKILL)
    os.kill(first.redis, signal.SIGKILL)
    first.kill()
    second = hold().wait_until_up()
    assert second.postgres != first.postgres
    assert _select(second, "SELECT answer FROM kept") == (42,)
    assert _pings(second)


def test_a_stale_id_that_now_belongs_to_another_process_is_no_obstacle(home: Path, hold: Hold) -> None:
    first = hold().wait_until_up()
    id_file = home / "postgres/data-18/postmaster.pid"
    stale = id_file.read_text()
    first.finish()
    other = subprocess.Popen(["sleep", "60"], **accounts.identity(accounts.server_account()))
    try:
        id_file.write_text(stale.replace(str(first.postgres), str(other.pid), 1))
        assert hold().wait_until_up().postgres != other.pid
    finally:
        other.kill()
        other.wait()


def test_a_half_made_database_is_made_again(fresh_home: Path, hold: Hold) -> None:
    partial = fresh_home / "postgres/data-18.partial"
    partial.mkdir(parents=True)
    (partial / "PG_VERSION").write_text("18")
    assert _select(hold(fresh_home).wait_until_up(), "SELECT 1") == (1,)
    assert not partial.exists()


def test_redis_moves_to_a_free_port_when_its_own_was_taken(hold: Hold) -> None:
    first = hold().wait_until_up()
    first.finish()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", urlsplit(first.redis_url).port or 0))
        taken.listen()
        second = hold().wait_until_up()
    assert second.redis_url != first.redis_url
    assert _pings(second)


def test_redis_serves_nobody_without_the_password(up: Holder) -> None:
    port = urlsplit(up.redis_url).port
    with redis.Redis(port=port or 0) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_both_servers_listen_on_loopback_or_not_at_all(up: Holder) -> None:
    listening = psutil.Process(up.postgres).net_connections("inet")
    assert listening == []
    addresses = {connection.laddr.ip for connection in psutil.Process(up.redis).net_connections("inet")}
    assert addresses == {"127.0.0.1"}


def test_nobody_else_can_reach_the_socket_or_read_a_secret(up: Holder) -> None:
    shut = [up.home / name for name in ("postgres", "secrets/redis", "redis/valkey.conf", "logs")]
    assert [path for path in shut if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)] == []


def test_postgres_flushes_to_disk_and_has_room_for_every_process(up: Holder) -> None:
    assert _select(up, "SHOW fsync") == ("on",)
    assert _select(up, "SHOW synchronous_commit") == ("on",)
    assert _select(up, "SHOW max_connections") == ("100",)


def test_a_path_too_long_for_a_socket_still_works(fresh_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = fresh_home / ("long" * 20) / ("longer" * 10)
    for folder in (deep.parent, deep):
        folder.mkdir(mode=0o711)
    holder = Holder(deep).wait_until_up()
    assert _select(holder, "SELECT 1") == (1,)
    sockets = Path(holder.database_url.partition("host=")[2])
    holder.finish()
    assert servers_of(deep) == []
    sockets.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run under another account")
def test_under_a_folder_shut_to_others_data_goes_elsewhere_and_no_permission_is_widened(
    fresh_home: Path,
) -> None:
    shut = fresh_home / "shut"
    shut.mkdir(mode=0o700)
    holder = Holder(shut / "data").wait_until_up()
    assert _select(holder, "SELECT 1") == (1,)
    place = (shut / "data/postgres").resolve()
    warning = holder.finish()
    assert str(place) in warning
    assert stat.S_IMODE(shut.stat().st_mode) == 0o700
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    subprocess.run(["rm", "-rf", place.parent], check=True)


def test_a_socket_folder_that_somebody_else_put_there_is_refused(
    fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = fresh_home / ("long" * 20)
    paths.make_home(deep)
    monkeypatch.setenv("ROBSON_HOME", str(deep))
    waiting = paths.socket_dir()
    waiting.mkdir()
    waiting.chmod(0o777)
    if os.geteuid() == 0:
        os.chown(waiting, _NOBODY.uid, _NOBODY.gid)
    try:
        with pytest.raises(postgres.PostgresError, match="somebody else"):
            postgres.start()
    finally:
        waiting.rmdir()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can become another")
def test_an_ordinary_user_runs_servers_as_himself(fresh_home: Path) -> None:
    own = fresh_home / "own"
    own.mkdir(mode=0o700)
    os.chown(own, _NOBODY.uid, _NOBODY.gid)
    holder = Holder(own, prefix=_AS_NOBODY).wait_until_up()
    assert {psutil.Process(pid).uids().real for pid in (holder.postgres, holder.redis)} == {_NOBODY.uid}
    holder.finish()
    assert servers_of(own) == []
