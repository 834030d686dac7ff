"""How long to wait before connecting again. Pure: the randomness is passed in."""

# 300 connections per address in 5 minutes are Binance's limit; at the cap one stream needs about 14.
_BASE_S = 0.5
_CAP_S = 30.0
# A connection this old was a good one: what ended it says nothing about the next.
HEALTHY_S = 20.0


def reconnect_delay(failures: int, jitter: float) -> float:
    """Seconds to wait after `failures` bad connections in a row: none at first, then doubling up to a cap.

    `jitter`, from 0 to 1, takes up to half of it away, so that many clients do not return at once.
    """
    if failures <= 0:
        return 0.0
    full = min(_CAP_S, _BASE_S * 2.0 ** min(failures - 1, 16))
    return float(full * (1.0 - jitter / 2))


def failures_after(failures: int, lasted_s: float) -> int:
    """Bad connections in a row, after one more that lasted `lasted_s` seconds (0 if it never stood)."""
    return 0 if lasted_s >= HEALTHY_S else failures + 1
