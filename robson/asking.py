"""Asking something that may never answer, without waiting for it for ever."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def ask(question: Callable[[], T]) -> "Future[T]":
    """Run it in a thread of its own, with database connections of its own.

    `result(timeout=...)` of what is returned raises TimeoutError. The thread of a question that hangs does
    not keep the process from ending.
    """
    answer: Future[T] = Future()
    threading.Thread(target=_answer, args=(question, answer), daemon=True).start()
    return answer


def _answer(question: Callable[[], T], answer: "Future[T]") -> None:
    try:
        try:
            found = question()
        finally:
            connections.close_all()
    except BaseException as error:  # noqa: BLE001 (whoever asked is told)
        answer.set_exception(error)
    else:
        answer.set_result(found)
