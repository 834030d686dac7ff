"""The read that goes on beside a claim."""

import os

from tests.trading.world import SYMBOL, World
from trading import readahead


def test_it_answers_with_the_pair(world: World) -> None:
    assert readahead.begin(world.account, SYMBOL)() == world.pair()


def test_a_process_that_was_forked_off_a_reader_has_one_of_its_own(world: World) -> None:
    readahead.begin(world.account, SYMBOL)()
    child = os.fork()
    if child == 0:
        answered = False
        try:
            answered = readahead._reader(os.getpid()).submit(os.getpid).result(5) == os.getpid()
        finally:
            os._exit(0 if answered else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
