"""Server-sent events from the real web process."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from robson.local import commands
from robson.local.ports import free_port
from tests import factories
from tests.live import LiveProcesses
from trading.domain.clocks import APART
from trading.models import Position

pytestmark = pytest.mark.processes

Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Web:
    """The web process, and the cookie of somebody who may look."""

    url: str
    cookie: str
    processes: LiveProcesses

    def stream(self, query: str = "") -> requests.Response:
        return requests.get(
            f"{self.url}/live/stream{query}", cookies={"sessionid": self.cookie}, stream=True, timeout=12
        )


@pytest.fixture
def web(live_process: LiveProcesses) -> Web:
    client = Client()
    client.force_login(get_user_model().objects.create_user("anna", is_staff=True))
    port = free_port(0)
    live_process.start(commands.web(port=port))
    return Web(f"http://127.0.0.1:{port}", client.cookies["sessionid"].value, live_process)


def events(answer: requests.Response) -> Iterator[Event]:
    """As they arrive, until the server ends the stream."""
    name = ""
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_what_is_committed_arrives_and_what_stays_the_same_is_not_repeated(web: Web) -> None:
    factories.everything_works(at=timezone.now() + APART)
    position = factories.core_position()
    with web.stream() as answer:
        told = events(answer)
        kind, first = next(told)
        assert (kind, first["order"]) == ("change", [f"core-{position.pk}"])
        assert "no-store" in answer.headers["Cache-Control"]

        kind, still = next(told)
        assert (kind, set(still)) == ("alive", {"at"}), "nothing has changed"

        Position.objects.update(stop_price="59111")
        kind, change = next(told)
        assert kind == "change"
        assert set(change) == {"rows", "at"}
        assert "59111" in change["rows"][f"core-{position.pk}"]


def test_a_logout_ends_the_stream_within_seconds(web: Web) -> None:
    with web.stream() as answer:
        told = events(answer)
        next(told)
        Session.objects.all().delete()
        left = time.monotonic()
        assert [kind for kind, _ in told][-1] == "ended"
        assert time.monotonic() - left < 10
    assert web.stream().status_code == 403


def test_an_open_stream_does_not_hold_up_the_end_of_the_web_process(web: Web) -> None:
    with web.stream() as answer:
        next(events(answer))
        began = time.monotonic()
        web.processes.stop("web")
        # Uvicorn's own grace is 5 s; after 10 s it would have been killed.
        assert time.monotonic() - began < 8
