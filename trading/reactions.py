"""How long an exit waits after an error before its next attempt. It never gives up."""

from trading.exchange.errors import ExchangeError, NotSent, RetryLater, StopAndPage

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 30.0
# A ban may last for days. Asked again meanwhile, whoever has met it refuses without a call.
LONGEST_WAIT_S = 120.0
CLOCK_SKEW = -1021


def retry_delay_s(error: ExchangeError, failures: int) -> float:
    """Seconds to wait after the `failures`-th failure in a row (from 1): 0, or 0.2 doubling up to 30.

    What the exchange names counts up to LONGEST_WAIT_S: a later time is none that anybody can have written.
    A clock that was just set right and a request that never left are tried again at once, the first times.
    """
    if isinstance(error, RetryLater | StopAndPage):
        return max(min(error.after_s, LONGEST_WAIT_S), backoff_s(failures))
    if isinstance(error, NotSent) and failures <= 3:
        return 0.0
    if error.code == CLOCK_SKEW and failures <= 1:
        return 0.0
    return backoff_s(failures)


def backoff_s(failures: int) -> float:
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 1, 10))


def is_panic(failures: int) -> bool:
    """From here on the alarm is loud and the retry slow."""
    return failures >= 6
