"""What the doctor says about this machine."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from robson.doctor import machine
from robson.local import paths
from tests.doctor.support import FAILED, OK, SKIPPED, WARNING, bad, verdicts


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROBSON_HOME", str(tmp_path))
    return tmp_path


def test_a_secret_that_others_can_read_is_a_failure_with_the_command(home: Path) -> None:
    paths.local_secret("admin_password")
    assert verdicts(machine.secret_files) == {"secrets": OK}
    secret = home / "secrets" / "admin_password"
    secret.chmod(0o644)
    found = bad(machine.secret_files)
    assert (found.verdict, f"chmod go= {secret}" in found.advice) == (FAILED, True)


def test_little_room_is_a_warning_and_none_a_failure(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdicts(machine.disk) == {"disk": OK}
    monkeypatch.setattr(machine, "LITTLE_ROOM_GIB", 1e9)
    assert bad(machine.disk).verdict == WARNING
    monkeypatch.setattr(machine, "NO_ROOM_GIB", 1e9)
    assert bad(machine.disk).verdict == FAILED


def test_settings_do_not_matter_without_real_money(settings: Settings) -> None:
    settings.DEBUG = True
    assert verdicts(machine.settings_fit) == {"settings": SKIPPED}


def test_debug_with_real_money_is_a_failure(settings: Settings) -> None:
    settings.ROBSON_LIVE = settings.DEBUG = True
    assert bad(machine.settings_fit).verdict == FAILED


def test_pages_for_others_without_https_are_a_warning(settings: Settings) -> None:
    settings.ROBSON_LIVE, settings.DEBUG = True, False
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost", "robson.example"]
    found = bad(machine.settings_fit)
    assert (found.verdict, "ROBSON_HTTPS=1" in found.advice) == (WARNING, True)
    settings.ROBSON_HTTPS = True
    assert verdicts(machine.settings_fit) == {"settings": OK}
