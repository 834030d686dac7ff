import time
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.model.machine import Protocol
import os
N = int(os.environ.get("N", 100))

@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True, available_apps=["trading", "safetynet"])
def test_it(stage):
    t = time.time()
    run_state_machine_as_test(lambda: Protocol(stage), settings=settings(max_examples=N, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)))
    print(stage.examples, stage.steps, time.time() - t)
