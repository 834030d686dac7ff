"""Which hosts are talked to, and the refusal to mix real money with a rehearsal."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

_BINANCE_DOMAINS = ("binance.com", "binance.us", "binance.vision", "binance.me", "binancefuture.com")


class BadEndpoint(ValueError):
    """An address that cannot be used; the text names it."""


class MixedHosts(ValueError):
    """Live and simulated hosts together, or live hosts without permission."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses without a trailing slash. The defaults are the live exchange."""

    api: str = "https://api.binance.com"
    fapi: str = "https://fapi.binance.com"
    stream: str = "wss://stream.binance.com:9443"
    fstream: str = "wss://fstream.binance.com"
    ws_api: str = "wss://ws-api.binance.com:443/ws-api/v3"

    @classmethod
    def from_values(cls, values: Mapping[str, str]) -> "Endpoints":
        """Read `BINANCE_API_URL` and its siblings; a missing or empty value keeps the live default.

        Raises BadEndpoint for an address without the scheme or host that it needs.
        """
        chosen = {name: values.get(key, "").strip().rstrip("/") for name, key in VARIABLES.items()}
        endpoints = cls(**{name: value for name, value in chosen.items() if value})
        for name, address in endpoints.named():
            _check_shape(VARIABLES[name], address, web_socket=name in {"stream", "fstream", "ws_api"})
        return endpoints

    def named(self) -> tuple[tuple[str, str], ...]:
        return tuple((field.name, getattr(self, field.name)) for field in fields(self))


VARIABLES: Mapping[str, str] = {
    "api": "BINANCE_API_URL",
    "fapi": "BINANCE_FAPI_URL",
    "stream": "BINANCE_STREAM_URL",
    "fstream": "BINANCE_FSTREAM_URL",
    "ws_api": "BINANCE_WS_API_URL",
}


def is_live(host: str) -> bool:
    """Whether `host` (a host name or a whole address) belongs to the real exchange."""
    name = _host(host)
    return _belongs_to_binance(name) and not _is_test_environment(name)


def check_mix(endpoints: Endpoints, live_allowed: bool) -> None:
    """Raises MixedHosts unless every host is live and that is allowed, or none of them is Binance's."""
    live = [VARIABLES[name] for name, address in endpoints.named() if is_live(address)]
    other = [VARIABLES[name] for name, address in endpoints.named() if not is_live(address)]
    tests = [address for _, address in endpoints.named() if _is_test_environment(_host(address))]
    if tests:
        raise MixedHosts(
            f"{', '.join(tests)}: Binance's test environments have no isolated margin, so margin calls would "
            "reach the live exchange. Use the simulator."
        )
    if live and other:
        raise MixedHosts(
            f"{', '.join(live)} point at the live exchange and {', '.join(other)} do not. "
            "Set all five to the simulator, or none of them."
        )
    if live and not live_allowed:
        raise MixedHosts(
            f"{', '.join(live)} point at the live exchange, with real money. Set ROBSON_LIVE=1 to mean it, "
            "or set all five to the simulator."
        )


def _check_shape(variable: str, address: str, *, web_socket: bool) -> None:
    schemes = ("wss", "ws") if web_socket else ("https", "http")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise BadEndpoint(f"{variable} must look like {schemes[0]}://host, not {address!r}.")
    if is_live(address) and urlsplit(address).scheme != schemes[0]:
        raise BadEndpoint(f"{variable} must use {schemes[0]} for the live exchange, not {address!r}.")


def _host(address: str) -> str:
    with_scheme = address if "//" in address else f"//{address}"
    return (urlsplit(with_scheme).hostname or "").rstrip(".")


def _belongs_to_binance(host: str) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in _BINANCE_DOMAINS)


def _is_test_environment(host: str) -> bool:
    return _belongs_to_binance(host) and ("testnet" in host or host.startswith("demo-"))
