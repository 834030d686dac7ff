"""docker-compose.yml says what the rest of the project means by it."""

import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
from django.conf import settings

from robson.local import commands, paths
from tests.containers.compose import OWN, compose, resolved, seconds, services
from tests.containers.schema import COMPOSE

SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "ROBSON_SECRET_KEY", "FLOWER_BASIC_AUTH")
ALL_SET = dict.fromkeys(SECRETS, "value")


def test_the_file_is_well_formed() -> None:
    jsonschema.validate(compose(), COMPOSE)


@pytest.mark.skipif(not shutil.which("docker"), reason="no docker client")
def test_docker_itself_accepts_the_file(tmp_path: Path) -> None:
    if subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode != 0:
        pytest.skip("the docker client has no compose plugin")
    shutil.copy(paths.PROJECT_DIR / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}=value\n" for name in SECRETS))
    subprocess.run(["docker", "compose", "config", "-q"], check=True, cwd=tmp_path)


def test_every_process_is_started_as_on_one_machine() -> None:
    everywhere = "0.0.0.0"  # noqa: S104 (inside a container)
    expected = [
        *commands.trading_services(),
        commands.alarms(),
        commands.web(everywhere),
        commands.flower(everywhere),
    ]
    assert {service.name: list(service.arguments) for service in expected} == {
        name: services()[name]["command"] for name in OWN
    }


def test_every_lasting_service_is_restarted_and_checked() -> None:
    lasting = {name: service for name, service in services().items() if name != "migrate"}
    assert {service["restart"] for service in lasting.values()} == {"unless-stopped"}
    assert [name for name, service in lasting.items() if "healthcheck" not in service] == []


def test_nothing_starts_before_its_database_is_migrated() -> None:
    assert services()["migrate"]["restart"] == "no"
    assert services()["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in OWN:
        assert services()[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, (
            name
        )


def test_dependencies_and_volumes_exist() -> None:
    for name, service in services().items():
        assert set(service.get("depends_on", {})) <= set(services()), name
        sources = {volume.split(":")[0] for volume in service.get("volumes", [])}
        files = {source for source in sources if source.startswith("./")}
        assert sources - files <= set(compose()["volumes"]), name
        assert [file for file in files if not (paths.PROJECT_DIR / file).exists()] == [], name


def test_monitoring_is_not_started_unless_asked_for() -> None:
    assert {name for name, service in services().items() if "profiles" in service} == {
        "prometheus",
        "grafana",
    }


@pytest.mark.parametrize("missing", SECRETS)
def test_without_a_secret_it_refuses_to_start(missing: str) -> None:
    text = (paths.PROJECT_DIR / "docker-compose.yml").read_text(encoding="utf-8")
    given = {name: value for name, value in ALL_SET.items() if name != missing}
    resolved(text, ALL_SET)
    with pytest.raises(KeyError, match=missing):
        resolved(text, given)


def test_every_secret_is_explained_in_the_example() -> None:
    names = [line.split("=")[0] for line in (paths.PROJECT_DIR / ".env.example").read_text().splitlines()]
    assert set(SECRETS) <= set(names)


def test_a_worker_may_finish_the_task_under_way_before_it_is_killed() -> None:
    for queue in ("exits", "safetynet", "default"):
        assert seconds(services()[f"worker-{queue}"]["stop_grace_period"]) > settings.CELERY_TASK_TIME_LIMIT


def test_own_processes_have_no_more_rights_than_they_need() -> None:
    for name in (*OWN, "migrate"):
        service = services()[name]
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
