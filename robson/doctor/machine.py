"""This machine: settings, secrets on it, room on its disks."""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings

from robson.doctor.findings import Check, Finding, failed, ok, skipped, warning
from robson.local import paths

GIB = 2**30
LITTLE_ROOM_GIB, NO_ROOM_GIB = 2.0, 0.5
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


def settings_fit() -> list[Finding]:
    """What must be set otherwise once real money is at stake."""
    if not settings.ROBSON_LIVE:
        return [skipped("settings", "ROBSON_LIVE is not set: no real money")]
    if settings.DEBUG:
        advice = "Unset ROBSON_DEBUG: its pages show settings to whoever makes an error happen."
        return [failed("settings", "ROBSON_DEBUG is on with real money", advice)]
    elsewhere = sorted(set(settings.ALLOWED_HOSTS) - LOOPBACK)
    if elsewhere and not settings.ROBSON_HTTPS:
        advice = "Put a TLS proxy before the web process and set ROBSON_HTTPS=1."
        return [warning("settings", f"pages answer to {', '.join(elsewhere)} without https", advice)]
    return [ok("settings", "fit for real money")]


def secret_files() -> list[Finding]:
    """Secrets are for their owner's eyes only."""
    open_ones = [path for path in _secrets() if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if not open_ones:
        return [ok("secrets", "files with secrets can be read by their owner only")]
    names = " ".join(str(path) for path in open_ones)
    return [
        failed("secrets", f"others can read {names}", f"Run `chmod go= {names}`, then change the secrets.")
    ]


def _secrets() -> Iterator[Path]:
    folder = paths.data_dir() / "secrets"
    candidates = [*(folder.iterdir() if folder.is_dir() else ()), paths.PROJECT_DIR / ".env"]
    return (path for path in candidates if path.is_file() and path.name != ".lock")


def disk() -> list[Finding]:
    """Room where Robson writes: a database without room commits no order."""
    places = _one_for_each_disk(_existing(place) for place in _places())
    free = [(shutil.disk_usage(place).free / GIB, place) for place in places]
    least, where = min(free)
    detail = f"{least:.1f} GiB free where {where} lies"
    if os.environ.get("DATABASE_URL"):
        detail += "; the disk of the database that DATABASE_URL names cannot be seen from here"
    advice = f"Make room on the disk of {where}: without it nothing is committed, and no exit is sent."
    if least < NO_ROOM_GIB:
        return [failed("disk", detail, advice)]
    return [warning("disk", detail, advice) if least < LITTLE_ROOM_GIB else ok("disk", detail)]


def _places() -> list[Path]:
    return [paths.data_dir(), paths.postgres_dir(), Path(settings.METRICS_DIR)]


def _existing(place: Path) -> Path:
    while not place.exists():
        place = place.parent
    return place


def _one_for_each_disk(places: Iterable[Path]) -> list[Path]:
    found: dict[int, Path] = {}
    for place in places:
        found.setdefault(place.stat().st_dev, place)
    return list(found.values())


CHECKS = (
    Check("settings", settings_fit),
    Check("secrets", secret_files),
    Check("disk", disk),
)
