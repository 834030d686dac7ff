"""What can go wrong with a call, by what the caller may conclude from it."""


class ExchangeError(Exception):
    """Base of all. `code` is Binance's error code, 0 when there is none."""

    def __init__(self, message: str, *, code: int = 0, http_status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.http_status = http_status

    def __str__(self) -> str:
        if not (self.code or self.http_status):
            return self.message
        return f"{self.message} (code {self.code}, http {self.http_status})"


class NotSent(ExchangeError):
    """The request never reached the exchange: send again at once."""


class Refused(ExchangeError):
    """The exchange answered no; nothing was executed. The code says why."""


class OutcomeUnknown(ExchangeError):
    """The request may or may not have been executed: look it up, never resend blindly."""


class RetryLater(ExchangeError):
    """Not executed; wait `after_s` seconds."""

    def __init__(self, message: str, *, after_s: float, code: int = 0, http_status: int = 0) -> None:
        super().__init__(message, code=code, http_status=http_status)
        self.after_s = after_s


class StopAndPage(ExchangeError):
    """Keys, permissions, ban or firewall: repeating makes it worse, a person is needed.

    `after_s` is how long to leave the host alone.
    """

    def __init__(self, message: str, *, after_s: float, code: int = 0, http_status: int = 0) -> None:
        super().__init__(message, code=code, http_status=http_status)
        self.after_s = after_s


class BadAnswer(ExchangeError):
    """The answer to a query does not have the shape we know. Queries only: it changes nothing."""
