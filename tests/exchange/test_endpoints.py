import pytest

from trading.exchange.endpoints import VARIABLES, BadEndpoint, Endpoints, MixedHosts, check_mix, is_live

SIMULATED = {
    "BINANCE_API_URL": "http://127.0.0.1:8100",
    "BINANCE_FAPI_URL": "http://127.0.0.1:8100",
    "BINANCE_STREAM_URL": "ws://127.0.0.1:8100",
    "BINANCE_FSTREAM_URL": "ws://127.0.0.1:8100",
    "BINANCE_WS_API_URL": "ws://127.0.0.1:8100/ws-api/v3",
}


def test_the_defaults_are_the_live_exchange() -> None:
    endpoints = Endpoints.from_values({})

    assert endpoints == Endpoints()
    assert all(is_live(address) for _, address in endpoints.named())


def test_empty_values_are_missing_values() -> None:
    assert Endpoints.from_values(dict.fromkeys(SIMULATED, " ")) == Endpoints()


def test_addresses_lose_their_trailing_slash() -> None:
    endpoints = Endpoints.from_values(SIMULATED | {"BINANCE_API_URL": "http://127.0.0.1:8100/"})

    assert endpoints.api == "http://127.0.0.1:8100"


@pytest.mark.parametrize(
    ("host", "live"),
    [
        ("api.binance.com", True),
        ("API.Binance.COM.", True),
        ("api4.binance.com", True),
        ("https://fapi.binance.com", True),
        ("wss://stream.binance.com:9443", True),
        ("api.binance.us", True),
        ("data-stream.binance.vision", True),
        ("testnet.binance.vision", False),
        ("stream.testnet.binance.vision", False),
        ("testnet.binancefuture.com", False),
        ("demo-api.binance.com", False),
        ("binance.com.evil.example", False),
        ("notbinance.com", False),
        ("127.0.0.1:8100", False),
        ("simulator", False),
    ],
)
def test_a_host_is_live_when_it_is_binance_s_own(host: str, live: bool) -> None:
    assert is_live(host) is live


def test_simulated_hosts_need_no_permission() -> None:
    check_mix(Endpoints.from_values(SIMULATED), live_allowed=False)


def test_live_hosts_are_refused_without_permission() -> None:
    with pytest.raises(MixedHosts, match="ROBSON_LIVE=1"):
        check_mix(Endpoints(), live_allowed=False)


def test_live_hosts_are_used_with_permission() -> None:
    check_mix(Endpoints(), live_allowed=True)


@pytest.mark.parametrize("live_allowed", [True, False])
@pytest.mark.parametrize("forgotten", list(VARIABLES.values()))
def test_one_forgotten_address_among_simulated_ones_is_refused_by_name(
    forgotten: str, live_allowed: bool
) -> None:
    values = {name: value for name, value in SIMULATED.items() if name != forgotten}

    with pytest.raises(MixedHosts, match=forgotten):
        check_mix(Endpoints.from_values(values), live_allowed=live_allowed)


@pytest.mark.parametrize("host", ["https://testnet.binance.vision", "https://demo-api.binance.com"])
def test_binance_s_test_environments_are_refused_because_margin_has_none(host: str) -> None:
    endpoints = Endpoints.from_values(SIMULATED | {"BINANCE_API_URL": host})

    with pytest.raises(MixedHosts, match="no isolated margin"):
        check_mix(endpoints, live_allowed=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BINANCE_API_URL", "127.0.0.1:8100"),
        ("BINANCE_API_URL", "ws://127.0.0.1"),
        ("BINANCE_API_URL", "http://"),
        ("BINANCE_API_URL", "http://host:port"),
        ("BINANCE_API_URL", "http://[::1"),
        ("BINANCE_STREAM_URL", "https://127.0.0.1"),
        ("BINANCE_API_URL", "http://api.binance.com"),
        ("BINANCE_WS_API_URL", "ws://ws-api.binance.com/ws-api/v3"),
    ],
)
def test_an_unusable_address_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadEndpoint, match=name):
        Endpoints.from_values(SIMULATED | {name: value})
