"""The protocol holds in whatever order things happen: at least two thousand examples, from six beginnings.

The same ones in every run, unless `--hypothesis-profile=exploring` asks for others.
"""

from collections.abc import Callable
from functools import partial

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.beginning import Beginning, Play, core_enters, owner_adds_to_core, owner_enters
from tests.model.machine import Protocol
from tests.model.stage import Stage
from trading.domain.types import Side

EXAMPLES = 170
STEPS = 8


@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True, available_apps=["trading", "safetynet"])
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("begins", [core_enters, owner_enters, owner_adds_to_core])
def test_protocol_holds_in_any_order(
    stage: Stage, begins: Callable[[Side], Play], side: Side, seed: int
) -> None:
    machine = partial(Protocol, stage, Beginning.of(stage, begins(side)))
    if settings().derandomize:
        hypothesis.seed(f"{begins.__name__} {side} {seed}")(machine)
    run_state_machine_as_test(
        machine,  # type: ignore[arg-type]  # whatever makes a machine will do
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    print(stage.finished, "examples,", stage.steps, "steps", *stage.kinds.most_common(), sep="\n")
    assert stage.finished >= EXAMPLES
