"""What breaks in a soak: answers about orders, the exchange as a whole, processes, and the servers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.soak.dice import dice, weighted

Details = dict[str, object]
QUIET_START_MS = 15_000


class Family(StrEnum):
    ORDER = "order"
    """One order of a pair goes wrong, once."""
    EXCHANGE = "exchange"
    """All calls or all streams, for a while."""
    PROCESS = "process"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks. Times in ms, `at_ms` since the start of the soak.

    `target` is a symbol, a process or a server. `details` go to the simulator's control call.
    """

    at_ms: int
    family: Family
    kind: str
    lasts_ms: int = 0
    target: str = ""
    details: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        told = [f"{name}={value}" for name, value in self.details]
        return " ".join([self.kind, self.target, *told]).replace("  ", " ").strip()


# By kind: how often. No kind is in both, since the simulator clears faults by their kind.
_OF_ORDER = {
    "timeout_after_accept": 3,
    "timeout_before_accept": 3,
    "late_accept": 3,
    "reset_connection": 3,
    "error_code": 4,
    "partial_fill": 4,
}
_OF_EXCHANGE = {
    "latency_ms": 4,
    "http_status": 4,
    "ban": 2,
    "clock_skew_ms": 3,
    "mute_stream": 4,
    "drop_stream": 4,
}
# Code and HTTP status of what the exchange answers instead, whether or not it has executed the order.
_ANSWERS = ((-1007, 400), (-1006, 504), (-1000, 500), (-1001, 503), (-3000, 400))
PROCESSES = {"consumer": 5, "worker-exits": 4, "worker-safetynet": 4, "worker-default": 2, "beat": 2}


def streams(seed: int, symbols: Sequence[str]) -> list[Iterator[Fault]]:
    """Every source of faults, each in the order of time and without an end."""
    return [
        _every(dice(seed, "faults:order"), (4_000, 14_000), lambda c, t: _of_order(c, t, symbols)),
        _every(dice(seed, "faults:exchange"), (15_000, 40_000), _of_exchange),
        _every(dice(seed, "faults:process"), (25_000, 60_000), _of_process),
        _every(dice(seed, "faults:redis"), (90_000, 240_000), lambda c, t: _of_server(c, t, "redis")),
        _every(dice(seed, "faults:postgres"), (120_000, 300_000), lambda c, t: _of_server(c, t, "postgres")),
    ]


def _every(chance: Random, gap_ms: tuple[int, int], make: Callable[[Random, int], Fault]) -> Iterator[Fault]:
    """Faults of one source: the next one begins some time after the end of the last."""
    at_ms = QUIET_START_MS + chance.randrange(*gap_ms) // 2
    while True:
        fault = make(chance, at_ms)
        yield fault
        at_ms += fault.lasts_ms + chance.randrange(*gap_ms)


def _of_order(chance: Random, at_ms: int, symbols: Sequence[str]) -> Fault:
    kind, symbol = weighted(chance, _OF_ORDER), chance.choice(symbols)
    options: dict[str, Callable[[], Details]] = {
        "late_accept": lambda: {"delay_ms": chance.randrange(100, 4_000)},
        "reset_connection": lambda: {"after": chance.random() < 0.5},
        "error_code": lambda: {
            **dict(zip(("code", "status"), chance.choice(_ANSWERS), strict=True)),
            "after": chance.random() < 0.5,
        },
        "partial_fill": lambda: {"ratio": chance.choice(("0.2", "0.5", "0.9", "0.99"))},
    }
    where: Details = {"symbol": symbol, "count": 1}
    if kind != "partial_fill":
        where = {**where, "path": "margin/order", "method": "POST"}
    return Fault(at_ms, Family.ORDER, kind, target=symbol, details=_fixed(where | _drawn(options, kind)))


def _of_exchange(chance: Random, at_ms: int) -> Fault:
    kind = weighted(chance, _OF_EXCHANGE)
    lasts_ms = chance.randrange(2_000, 6_000) * (3 if kind in {"mute_stream", "clock_skew_ms"} else 1)
    options: dict[str, Callable[[], Details]] = {
        "latency_ms": lambda: {"ms": chance.randrange(100, 1_200)},
        "http_status": lambda: {"status": chance.choice((429, 500, 502, 503)), "retry_after": 1},
        "ban": lambda: {"seconds": lasts_ms // 1_000},
        "clock_skew_ms": lambda: {"ms": chance.choice((-1, 1)) * chance.randrange(500, 6_000)},
        "drop_stream": lambda: {"count": 1},
    }
    return Fault(at_ms, Family.EXCHANGE, kind, lasts_ms, details=_fixed(_drawn(options, kind)))


def _of_process(chance: Random, at_ms: int) -> Fault:
    target = weighted(chance, PROCESSES)
    if chance.random() < 0.3:
        # Long enough, now and then, to wake up after the lease of an order has run out.
        return Fault(at_ms, Family.PROCESS, "freeze", chance.choice((2_000, 6_000, 15_000, 25_000)), target)
    return Fault(at_ms, Family.PROCESS, "kill", target=target)


def _of_server(chance: Random, at_ms: int, target: str) -> Fault:
    kind = weighted(chance, {"stop": 1, "kill": 1})
    return Fault(at_ms, Family.SERVER, kind, chance.randrange(1_000, 8_000), target)


def _drawn(options: Mapping[str, Callable[[], Details]], kind: str) -> Details:
    return options[kind]() if kind in options else {}


def _fixed(details: Details) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(details.items()))
