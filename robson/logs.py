"""How a log line looks: UTC with milliseconds, since an incident is read across processes."""

import logging
from datetime import UTC, datetime


class UtcFormatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's name)
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.strftime(datefmt) if datefmt else f"{moment:%Y-%m-%d %H:%M:%S}.{int(record.msecs):03d}Z"
