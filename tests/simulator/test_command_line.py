"""`python -m simulator` as a process."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from simulator.__main__ import exchange_of, main, parser
from tests.simulator.support import KEY


@contextmanager
def _process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "simulator", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


def _get(line: str, path: str) -> requests.Response:
    found = re.search(r"http://\S+", line)
    assert found is not None, line
    with requests.Session() as session:
        session.trust_env = False
        return session.get(found[0] + path, timeout=5)


def test_says_when_it_is_ready_serves_and_ends_cleanly_on_sigterm() -> None:
    with _process("--feed", "walk", "--account", "me:secret", "--symbols", "SOLUSDT") as (process, line):
        ledger = _get(line, "/sim/ledger").json()
        assert [one["api_key"] for one in ledger["accounts"]] == ["me"]
        assert [one["symbol"] for one in ledger["accounts"][0]["pairs"]] == ["SOLUSDT"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_sigterm_does_not_wait_for_a_hanging_request() -> None:
    with _process() as (process, line):
        url = line.split()[2]
        with requests.Session() as session:
            session.trust_env = False
            fault = {"kind": "timeout_before_accept", "hang_ms": 60_000}
            session.post(f"{url}/sim/fault", json=fault, timeout=5)
            with pytest.raises(requests.RequestException):
                session.get(f"{url}/api/v3/ping", timeout=0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--account", "no-colon"], "KEY:SECRET"),
        (["--symbols", "NOSUCH"], "Invalid symbol."),
        (["--feed", "no-such-file.csv"], "no-such-file.csv"),
    ],
)
def test_bad_arguments_end_it_with_a_reason(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", "0", *arguments]) == 2
    told = capsys.readouterr()
    assert text in told.err
    assert "ready" not in told.out


def test_default_account_is_the_demo_account() -> None:
    exchange = exchange_of(parser().parse_args([]))
    assert (list(exchange.accounts), exchange.accounts[KEY].secret) == ([KEY], "demo-secret")
