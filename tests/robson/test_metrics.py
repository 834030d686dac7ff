"""Metrics over many processes: nothing that was counted is lost, and the dead leave no gauges."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robson import metrics
from tests.trading.world import until

PRELUDE = """
import sys
from pathlib import Path
from robson import metrics
metrics.share_through(Path(sys.argv[1]))
from prometheus_client import Counter, Gauge, Histogram
counted = Counter("counted", "c", ["what"])
seconds = Histogram("seconds", "h", buckets=(1, 2))
level = Gauge("level", "g", multiprocess_mode="livesum")
"""
WORK = """
counted.labels(what="order").inc()
seconds.observe(1.5)
level.set(7)
"""


def run(directory: Path, code: str) -> None:
    subprocess.run([sys.executable, "-c", PRELUDE + code, str(directory)], check=True, timeout=30)


@contextmanager
def running(directory: Path, code: str) -> Iterator[None]:
    """A process that has done `code` and lives until the block ends."""
    wait = "\nprint('ready', flush=True)\nsys.stdin.read()\n"
    command = [sys.executable, "-c", PRELUDE + code + wait, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield
        child.communicate()


def lines(directory: Path) -> list[str]:
    text = metrics.exposition(directory).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_counts_of_processes_that_ended_are_kept_however_often_they_are_read(tmp_path: Path) -> None:
    run(tmp_path, WORK)
    run(tmp_path, WORK)
    assert 'counted_total{what="order"} 2.0' in lines(tmp_path)
    assert 'counted_total{what="order"} 2.0' in lines(tmp_path)


def test_living_and_ended_processes_add_up(tmp_path: Path) -> None:
    run(tmp_path, WORK)
    with running(tmp_path, WORK):
        assert 'counted_total{what="order"} 2.0' in lines(tmp_path)
    assert 'counted_total{what="order"} 2.0' in lines(tmp_path)


def test_histograms_keep_their_buckets_after_their_process(tmp_path: Path) -> None:
    run(tmp_path, WORK)
    lines(tmp_path)
    run(tmp_path, WORK)
    found = lines(tmp_path)
    assert {'seconds_bucket{le="1.0"} 0.0', 'seconds_bucket{le="2.0"} 2.0', "seconds_count 2.0"} <= set(found)
    assert "seconds_sum 3.0" in found


def test_a_gauge_goes_with_its_process(tmp_path: Path) -> None:
    with running(tmp_path, WORK):
        assert "level 7.0" in lines(tmp_path)
    assert not [line for line in lines(tmp_path) if line.startswith("level")]


def test_files_of_ended_processes_do_not_pile_up(tmp_path: Path) -> None:
    for _ in range(3):
        run(tmp_path, WORK)
    lines(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "counter_ended.db",
        "histogram_ended.db",
        "reading.lock",
    }


def test_a_forked_child_counts_for_itself_and_lives_on_after_its_parent(tmp_path: Path) -> None:
    fork = "import os\nif os.fork():\n    os._exit(0)\n"
    count = "counted.labels(what='order').inc()\n"
    with running(tmp_path, count + fork + count):
        assert 'counted_total{what="order"} 2.0' in lines(tmp_path)
        # The child may be ready before its parent is gone.
        until(lambda: lines(tmp_path) and len(list(tmp_path.glob("*.alive"))) == 1)
    assert 'counted_total{what="order"} 2.0' in lines(tmp_path)


def test_a_process_killed_without_warning_is_counted_too(tmp_path: Path) -> None:
    die = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    command = [sys.executable, "-c", PRELUDE + WORK + die, str(tmp_path)]
    assert subprocess.run(command, check=False, timeout=30).returncode < 0
    assert 'counted_total{what="order"} 1.0' in lines(tmp_path)


def test_names_of_processes_differ_even_where_process_numbers_do_not(tmp_path: Path) -> None:
    host_and_number = metrics.process_name().rsplit("-", 1)[0]
    assert host_and_number.endswith(f"-{os.getpid()}")
    assert "_" not in metrics.process_name()
