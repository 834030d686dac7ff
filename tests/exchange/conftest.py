from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.exchange.stub import Stub, serving
from trading.exchange.calls import CallReport, CallSettings
from trading.exchange.endpoints import Endpoints
from trading.exchange.http import Timeouts
from trading.exchange.rest import BinanceMargin

Connect = Callable[..., BinanceMargin]
NOW_S = 1_700_000_000.5


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as running:
        yield running


@pytest.fixture
def calls() -> list[str]:
    """Names given to `before_call`, in order."""
    return []


@pytest.fixture
def reports() -> list[CallReport]:
    """What `after_call` was given, in order."""
    return []


@pytest.fixture
def connect(stub: Stub, calls: list[str], reports: list[CallReport]) -> Iterator[Connect]:
    """Makes clients of the stub, whose clock stands still unless told otherwise."""
    with ExitStack() as open_clients:

        def make(
            url: str = stub.url,
            clock: Callable[[], float] = lambda: NOW_S,
            read_timeout: float = 5.0,
        ) -> BinanceMargin:
            settings = CallSettings(
                timeouts=Timeouts(connect=1.0, read=read_timeout),
                clock=clock,
                before_call=calls.append,
                after_call=reports.append,
            )
            client = BinanceMargin(Endpoints(api=url), api_key="key", api_secret="secret", settings=settings)
            open_clients.callback(client.close)
            return client

        yield make


@pytest.fixture
def client(connect: Connect) -> BinanceMargin:
    return connect()
