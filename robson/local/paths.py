"""Where local data lives, and how local servers would be reached. Reading this starts nothing."""

import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

from robson.local import locks

PROJECT_DIR = Path(__file__).resolve().parents[2]
DATABASE = "robson"
# Linux allows 107 bytes for the path of a socket, macOS 103.
_LONGEST_SOCKET_PATH = 100
_SOCKET_NAME = ".s.PGSQL.5432"


def data_dir() -> Path:
    """The folder of all that Robson keeps on this machine: ROBSON_HOME, or `.robson` in the project."""
    return Path(os.environ.get("ROBSON_HOME") or PROJECT_DIR / ".robson").expanduser().absolute()


def private_dir(*parts: str) -> Path:
    """A folder under the data folder that only its owner can read, created if missing.

    Raises ImproperlyConfigured when it cannot be created.
    """
    folder = data_dir()
    try:
        make_home(folder)
        for part in parts:
            folder = folder / part
            make_folder(folder, 0o700)
    except OSError as error:
        reason = f"Cannot create {folder}: {error.strerror}. Set ROBSON_HOME to a folder that can be written."
        raise ImproperlyConfigured(reason) from error
    return folder


def local_secret(name: str, *, random_bytes: int = 48) -> str:
    """A random secret with this name, generated on first use and kept in a file of mode 0600.

    Raises ImproperlyConfigured when it can be neither read nor written.
    """
    path = data_dir() / "secrets" / name
    try:
        if not path.exists():
            folder = private_dir("secrets")
            with locks.exclusive(folder / ".lock"):
                if not path.exists():
                    replace_file(path, secrets.token_urlsafe(random_bytes))
        return path.read_text(encoding="ascii")
    except OSError as error:
        reason = f"Cannot keep a secret in {path}: {error.strerror}. Set ROBSON_HOME to a folder of your own."
        raise ImproperlyConfigured(reason) from error


def local_database_url() -> str:
    """The URL of the local PostgreSQL, whether or not it runs."""
    return f"postgresql://{DATABASE}@/{DATABASE}?host={quote(str(socket_dir()))}"


def local_redis_url() -> str:
    """The URL of the local Redis, whether or not it runs. Its port is chosen when it first starts."""
    # Port 0 would mean the usual one, and somebody else's server. On port 1 nothing ever listens.
    return f"redis://:{local_secret('redis')}@127.0.0.1:{redis_port() or 1}/0"


def postgres_dir() -> Path:
    """The folder of the local PostgreSQL: data and socket. A link when root had to place it elsewhere."""
    return (data_dir() / "postgres").resolve()


def socket_dir() -> Path:
    """The folder of PostgreSQL's socket: beside its data, or a short path when that one is too long."""
    folder = postgres_dir()
    if len(os.fsencode(folder / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path("/tmp") / f"robson-{os.geteuid()}-{digest}"  # noqa: S108 (postgres.py refuses a folder of another owner)


def redis_port() -> int:
    """The port that the local Redis had last, 0 before its first start."""
    try:
        return int((data_dir() / "redis" / "port").read_text(encoding="ascii"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return 0


def make_home(folder: Path) -> None:
    """Create a data folder. Nobody else can read it."""
    # Root's PostgreSQL runs under another account, which must pass through. Each folder inside is shut.
    make_folder(folder, 0o711 if os.geteuid() == 0 else 0o700)


def make_folder(folder: Path, mode: int) -> None:
    """Create a folder with exactly this mode, whatever the umask. One that exists is left as it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    folder.chmod(mode)


def replace_file(path: Path, text: str) -> None:
    """Write a private file so that a reader sees the old text or the new one, never half of it."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).replace(path)
