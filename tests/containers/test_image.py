"""The Dockerfile builds from what is there, without secrets, and runs as nobody in particular."""

import re
from fnmatch import fnmatch

from robson.local import paths

DOCKERFILE = (paths.PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (paths.PROJECT_DIR / ".dockerignore").read_text(encoding="utf-8").splitlines()
_COPIED = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)


def _reaches_the_build(name: str) -> bool:
    verdict = True
    for line in IGNORED:
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and fnmatch(name, pattern):
            verdict = line.startswith("!")
    return verdict


def test_everything_that_is_copied_exists_and_reaches_the_build() -> None:
    assert "robson" in _COPIED
    for name in _COPIED:
        assert (paths.PROJECT_DIR / name).exists(), name
        assert _reaches_the_build(name), name


def test_secrets_and_local_data_stay_outside() -> None:
    assert [name for name in (".env", ".robson", ".git", ".venv", "tests") if _reaches_the_build(name)] == []


def test_packages_are_pinned_by_hash_and_without_those_of_development() -> None:
    assert "--require-hashes -r /tmp/requirements.txt" in DOCKERFILE
    assert "requirements-dev" not in DOCKERFILE


def test_it_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["robson"]
