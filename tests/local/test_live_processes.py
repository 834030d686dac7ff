"""Tests of other parts can have real processes beside them."""

import socket

import pytest

from robson.celery import app
from robson.local import commands
from tests.live import LiveProcesses, database_url


@pytest.mark.processes
def test_a_worker_beside_a_test_listens_to_its_broker(live_process: LiveProcesses) -> None:
    worker = f"default@{socket.gethostname()}"
    live_process.start(commands.worker("default", concurrency=1))
    assert app.control.ping(destination=[worker], timeout=10, limit=1) == [{worker: {"ok": "pong"}}]
    live_process.kill("worker-default")
    assert app.control.ping(destination=[worker], timeout=0.5) == []


@pytest.mark.django_db
def test_processes_are_given_the_database_of_the_test() -> None:
    assert "/test_robson" in database_url()
