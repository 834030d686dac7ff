"""No secret reaches a log, at DEBUG either, whatever goes wrong. Here nothing is taken out of the lines."""

import asyncio
import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apprise
import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django.fixtures import Settings

from robson.local.ports import free_port
from safetynet.services import poll
from tests.trading.support import PROJECT
from tests.trading.world import SYMBOL, World
from trading import gateway
from trading.exchange.connection import Link, LinkState
from trading.exchange.errors import ExchangeError
from trading.exchange.parsing import ListenToken
from trading.exchange.user_stream import UserStream
from trading.models import Account

KEY, SECRET = "key-of-the-owner-4711", "secret-of-the-owner-0815"
PASSWORD = "password-of-a-server-42"
log = logging.getLogger("trading.test_secrets")


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """All that any logger lets through under Robson's settings, with root and Robson's own at DEBUG."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    configured: dict[str, dict[str, object]] = django_settings.LOGGING["loggers"]  # type: ignore[assignment]
    own = [name for name, about in configured.items() if "handlers" in about]
    loggers = [logging.getLogger(name) for name in ("", *own)]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(logging.DEBUG)
        yield written
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


@pytest.fixture
def owner(world: World, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account whose key nobody would write down by chance."""
    world.sim("account", api_key=KEY, secret=SECRET, balances={SYMBOL: {"USDT": "10000"}})
    monkeypatch.setenv("OWNER_KEY", KEY)
    monkeypatch.setenv("OWNER_SECRET", SECRET)
    return Account.objects.create(name="owner", api_key_env="OWNER_KEY", api_secret_env="OWNER_SECRET")


def attempt(call: Callable[[], object]) -> None:
    """Whatever goes wrong is written down with all that it came from."""
    try:
        call()
    except ExchangeError:
        log.exception("it failed")


def assert_clean(text: str, *others: str) -> None:
    assert "it failed" in text
    for secret in (KEY, SECRET, "signature", *others):
        assert secret not in text, next(line for line in text.splitlines() if secret in line)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http_status", "status": 503, "path": "isolated/account"},
        {"kind": "error_code", "code": -1102, "path": "isolated/account"},
        {"kind": "timeout_before_accept", "path": "isolated/account"},
        {"kind": "ban", "seconds": 1},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_calls_that_fail_tell_no_secret(world: World, owner: Account, fault: dict[str, object]) -> None:
    world.control.fault(**fault)  # type: ignore[arg-type]
    with everything_logged() as written:
        attempt(lambda: gateway.exchange_for(owner).margin_pairs())
        assert poll(owner, gateway.desk_for(owner)).failures
    assert_clean(written.getvalue())


def test_a_wrong_signature_and_a_host_that_is_away_tell_no_secret(
    world: World, owner: Account, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("OWNER_SECRET", SECRET[::-1])
    with everything_logged() as written:
        attempt(lambda: gateway.exchange_for(owner).margin_pairs())
        settings.BINANCE = {**settings.BINANCE, "BINANCE_API_URL": f"http://127.0.0.1:{free_port(0)}"}
        attempt(lambda: gateway._connect(owner).margin_pairs())
    assert written.getvalue().count("it failed") == 2
    assert_clean(written.getvalue(), SECRET[::-1])


def test_orders_and_their_look_up_tell_no_secret(world: World, owner: Account) -> None:
    with everything_logged() as written:
        attempt(lambda: gateway.exchange_for(owner).trades(SYMBOL))
        attempt(lambda: gateway.exchange_for(owner).find_order("NOSUCH", "rbs-1"))
    assert_clean(written.getvalue())


async def test_the_user_stream_does_not_tell_its_listen_token(world: World) -> None:
    tokens: list[ListenToken] = []
    states: list[LinkState] = []

    async def new_token(symbol: str) -> ListenToken:
        tokens.append(await asyncio.to_thread(world.exchange.listen_token, symbol))
        log.debug("granted: %s", tokens)
        return tokens[-1]

    with everything_logged() as written:
        url = gateway.endpoints().ws_api
        stream = UserStream(url, new_token, print, states.append, now_ms=world.exchange.now_ms)
        stream.set_symbols([SYMBOL])
        task = asyncio.create_task(stream.run())
        while Link.SUBSCRIBED not in {state.link for state in states}:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait({task})
    assert tokens[0].token not in written.getvalue()
    assert "granted: " in written.getvalue()


def test_a_broker_that_is_away_does_not_tell_its_password(settings: Settings, db: None) -> None:
    settings.REDIS_URL = f"redis://:{PASSWORD}@127.0.0.1:{free_port(0)}/0"
    with everything_logged() as written:
        text = Client().get("/readyz").content.decode() + Client().get("/metrics").content.decode()
    assert PASSWORD not in written.getvalue() + text
    assert "broker" in text


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
def test_a_channel_that_fails_does_not_tell_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where alarms have been told, its lines go nowhere at all.
    monkeypatch.setattr(logging.getLogger("apprise"), "propagate", True)
    channel = apprise.Apprise()
    channel.add(f"json://owner:{PASSWORD}@127.0.0.1:{free_port(0)}/token-of-the-channel")
    with everything_logged() as written:
        assert not channel.notify("test")
    assert "apprise" in written.getvalue()
    assert PASSWORD not in written.getvalue()
    assert "token-of-the-channel" not in written.getvalue()


def test_processes_without_their_servers_do_not_tell_their_passwords() -> None:
    """Neither in lines nor in what a process says when it ends: a worker, and a command."""
    nowhere = f"127.0.0.1:{free_port(0)}"
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://robson:{PASSWORD}@{nowhere}/robson",
        "REDIS_URL": f"redis://:{PASSWORD}@{nowhere}/0",
        "BINANCE_API_KEY": KEY,
        "BINANCE_API_SECRET": SECRET,
        "ROBSON_LIVE": "1",
        "ROBSON_LOG_LEVEL": "DEBUG",
    }
    worker = ("-m", "celery", "-A", "robson", "worker", "--loglevel", "DEBUG", "--pool", "solo")
    told = ""
    for arguments, words in ((worker, "Cannot connect"), (("manage.py", "alive", "database"), "refused")):
        with subprocess.Popen(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                told += line
                if words in line:
                    break
            process.kill()
        assert words in told
    for secret in (PASSWORD, KEY, SECRET):
        assert secret not in told
