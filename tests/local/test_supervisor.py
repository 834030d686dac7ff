"""The supervisor starts in order, restarts what dies, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from robson.local import logfiles, paths
from robson.local.commands import Service
from robson.local.supervisor import StartError, Supervisor, backoff_s

_DEADLINE_S = 20.0


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBSON_HOME", str(tmp_path))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    running = Supervisor(os.environ, said.append)
    yield running
    running.kill()


def _service(name: str, program: str, *, grace_s: float = 5.0) -> Service:
    return Service(name, ("python", "-c", program), f"{name} is ready", grace_s)


def _obedient(name: str) -> Service:
    return _service(name, f"import time; print('{name} is ready', flush=True); time.sleep(60)")


def _stubborn(name: str) -> Service:
    deaf = "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    parent = f"child = subprocess.Popen(['sleep', '60']); print('{name} is ready', flush=True); child.wait()"
    return _service(name, f"{deaf}; {parent}", grace_s=0.3)


def _talkative(name: str, lines: list[str]) -> Service:
    ready = f"import time; print('{name} is ready', flush=True); time.sleep(0.3)"
    return _service(name, f"{ready}; print({chr(10).join(lines)!r}, flush=True); time.sleep(60)")


def _until(condition: Callable[[], bool]) -> Callable[[], bool]:
    deadline = time.monotonic() + _DEADLINE_S

    def reached() -> bool:
        assert time.monotonic() < deadline, "it did not happen in time"
        return condition()

    return reached


def test_a_process_that_dies_is_started_again_and_that_is_said(
    supervisor: Supervisor, said: list[str]
) -> None:
    supervisor.start([_obedient("one")])
    (process,) = supervisor.batches[0]
    first = process.child.pid
    os.kill(first, signal.SIGKILL)
    supervisor.tend_until(_until(lambda: process.child.pid != first))
    assert psutil.pid_exists(process.child.pid)
    assert "one ended with code -9: starting it again in 1 s" in said


def test_a_process_that_keeps_dying_is_restarted_ever_more_slowly() -> None:
    assert [backoff_s(failures) for failures in (1, 2, 3, 4, 5, 6, 60)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_process_that_ends_at_once_fails_the_start_with_its_log(supervisor: Supervisor) -> None:
    broken = _service("broken", "raise SystemExit('no such table')")
    with pytest.raises(StartError, match="no such table"):
        supervisor.start([broken])


def test_when_one_fails_to_start_the_others_are_stopped(supervisor: Supervisor) -> None:
    supervisor.start([_obedient("one")])
    (process,) = supervisor.batches[0]
    with pytest.raises(StartError):
        supervisor.start([_service("broken", "raise SystemExit(1)")])
    assert process.child.poll() is not None


def test_what_was_started_last_is_stopped_first(supervisor: Supervisor, said: list[str]) -> None:
    for name in ("first", "second"):
        farewell = "signal.signal(signal.SIGTERM, lambda *_: sys.exit('bye'))"
        program = (
            f"import signal, sys, time; {farewell}; print('{name} is ready', flush=True); time.sleep(60)"
        )
        supervisor.start([_service(name, program)])
    supervisor.stop()
    assert [line.split()[0] for line in said if line.endswith("bye")] == ["second", "first"]


def test_a_process_that_does_not_stop_is_killed_with_its_children(
    supervisor: Supervisor, said: list[str]
) -> None:
    supervisor.start([_stubborn("deaf")])
    child = supervisor.batches[0][0].child
    grandchildren = psutil.Process(child.pid).children()
    supervisor.stop()
    assert child.returncode == -signal.SIGKILL
    assert len(grandchildren) == 1
    assert psutil.wait_procs(grandchildren, timeout=_DEADLINE_S)[1] == []
    assert any("deaf did not stop" in line for line in said)


def test_log_lines_are_passed_on_with_the_name_and_kept_in_a_file(
    supervisor: Supervisor, said: list[str]
) -> None:
    supervisor.start([_talkative("one", ["hello"])])
    supervisor.tend_until(_until(lambda: "one               | hello" in said))
    assert b"hello" in logfiles.read_from("one", 0)


def test_routine_lines_of_celery_stay_off_the_console(supervisor: Supervisor, said: list[str]) -> None:
    lines = ["12:00:00 INFO    celery.app.trace: Task done", "12:00:00 ERROR   celery.app.trace: Task failed"]
    supervisor.start([_talkative("one", lines)])
    supervisor.tend_until(_until(lambda: any("failed" in line for line in said)))
    assert not any("Task done" in line for line in said)


def test_a_log_that_grew_too_long_is_set_aside_while_its_writer_goes_on() -> None:
    with logfiles.append("long") as log:
        log.write(b"x" * 10_000_001)
        logfiles.shorten("long")
        log.write(b"next\n")
    assert logfiles.read_from("long", 0) == b"next\n"
    assert logfiles.complete_lines("long", 10_000_001) == ("next\n", 5)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux ends children with their parent")
def test_children_of_a_killed_supervisor_end_by_themselves() -> None:
    program = (
        "import os, time\n"
        "from robson.local.commands import Service\n"
        "from robson.local.supervisor import Supervisor\n"
        "endless = 'print(\"up\", flush=True); import time; time.sleep(60)'\n"
        "sleeper = Service('one', ('python', '-c', endless), 'up')\n"
        "supervisor = Supervisor(os.environ)\n"
        "supervisor.start([sleeper])\n"
        "print(supervisor.batches[0][0].child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=paths.PROJECT_DIR, stdout=subprocess.PIPE, text=True) as supervising:
        assert supervising.stdout is not None
        child = psutil.Process(int(supervising.stdout.readline()))
        supervising.kill()
    assert psutil.wait_procs([child], timeout=_DEADLINE_S)[1] == []
