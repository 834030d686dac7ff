"""The local clock that the exchange's is measured against. Whoever sets the machine's clock does not move it.

With a clock that jumps, every price and order would bear a wrong time until the offset is measured again,
and a price from the future makes all later ones look old.
"""

import time

# Where there is such a clock, one that goes on while the machine sleeps.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BEGAN = time.time() - time.clock_gettime(_STEADY)


def steady() -> float:
    """Seconds since the epoch, by the machine's clock as it was when this process began."""
    return _BEGAN + time.clock_gettime(_STEADY)
