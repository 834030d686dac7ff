"""How a log line looks: UTC with milliseconds, since an incident is read across processes.

On a console a line is for people. As JSON it also names what it is about: account, symbol, position, guard,
order intent and attempt, as far as they are known where it was written (`trading.logcontext`).
"""

import logging
import logging.config
import os
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import LogData
from pythonjsonlogger.json import JsonFormatter as LibraryFormatter

from robson import redaction
from trading import logcontext

_FIELDS = ("time", "level", "logger", "process", "message", *logcontext.IDS, "exception", "stack_info")


def configure(settings: dict[str, Any]) -> None:
    """Set up logging as Django asks for it. Python's warnings become lines of the log, too."""
    logging.config.dictConfig(settings)
    logging.captureWarnings(True)


class NameSubject(logging.Filter):
    """Adds to a record what is being worked on where it was written."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in logcontext.known().items():
            if value is not None:
                record.__dict__.setdefault(name, value)
        return True


class UtcFormatter(logging.Formatter):
    """One line for people."""

    def __init__(self, format: str) -> None:
        super().__init__(format)
        self._hide = redaction.hiding(os.environ)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's name)
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.strftime(datefmt) if datefmt else f"{moment:%Y-%m-%d %H:%M:%S}.{int(record.msecs):03d}Z"

    def format(self, record: logging.LogRecord) -> str:
        return self._hide(super().format(record))


class JsonFormatter(LibraryFormatter):
    """One JSON object on one line. Fields that are not known are left out, and so is what others add."""

    def __init__(self) -> None:
        renamed = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"}
        super().__init__(("asctime", "levelname", "name", "message"), rename_fields=renamed)
        self._hide = redaction.hiding(os.environ)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's name)
        moment = datetime.fromtimestamp(record.created, UTC)
        return f"{moment:{datefmt or '%Y-%m-%dT%H:%M:%S'}}.{int(record.msecs):03d}Z"

    def process_log_record(self, log_data: LogData) -> LogData:
        log_data["process"] = logcontext.process_name()
        return {name: log_data[name] for name in _FIELDS if name in log_data}

    def format(self, record: logging.LogRecord) -> str:
        return self._hide(super().format(record))
