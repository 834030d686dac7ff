"""Secrets and addresses are there before any server runs, and looking at them starts nothing."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
import pytest
from django.core.exceptions import ImproperlyConfigured

from robson.local import locks, paths
from tests.local.holder import environment, servers_of


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROBSON_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_secret_is_long_private_and_stays_the_same(own_home: Path) -> None:
    secret = paths.local_secret("one")
    assert len(secret) >= 40
    assert paths.local_secret("one") == secret
    assert paths.local_secret("two") != secret
    assert stat.S_IMODE((own_home / "secrets/one").stat().st_mode) == 0o600
    assert stat.S_IMODE((own_home / "secrets").stat().st_mode) == 0o700


def test_processes_that_ask_for_a_new_secret_together_get_the_same(own_home: Path) -> None:
    program = "from robson.local import paths; print(paths.local_secret('shared'))"

    def ask(_: int) -> str:
        command = [sys.executable, "-c", program]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=paths.PROJECT_DIR
        ).stdout

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(ask, range(3)))) == 1


def test_a_data_folder_that_cannot_be_written_is_named_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBSON_HOME", "/proc/robson")
    with pytest.raises(ImproperlyConfigured, match=r"/proc/robson.*ROBSON_HOME"):
        paths.local_secret("one")


def test_before_its_first_start_the_redis_url_leads_to_nobody(own_home: Path) -> None:
    assert urlsplit(paths.local_redis_url()).port == 1


def test_django_reads_the_socket_folder_out_of_the_database_url(own_home: Path) -> None:
    own_home = own_home.with_name("With Capitals & spaces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROBSON_HOME", str(own_home))
        parsed = dj_database_url.parse(paths.local_database_url())
        assert parsed["OPTIONS"]["host"] == str(paths.socket_dir())
    assert (parsed["USER"], parsed["NAME"]) == ("robson", "robson")


def test_importing_the_settings_starts_no_server(home: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from robson import settings; print(settings.DATABASES, settings.REDIS_URL)",
    ]
    subprocess.run(command, check=True, env=environment(home), cwd=paths.PROJECT_DIR)
    assert servers_of(home) == []


def test_a_lock_that_is_never_given_back_is_named_in_the_error(tmp_path: Path) -> None:
    held = locks.try_lock(tmp_path / "lock")
    assert held is not None
    with (
        pytest.raises(locks.LockTimeoutError, match=str(tmp_path)),
        locks.exclusive(tmp_path / "lock", timeout_s=0),
    ):
        pytest.fail("the lock was held twice")
