"""What this process has counted, as tests read it: by how much a block has moved it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.metrics import MetricWrapperBase

Sample = tuple[str, ...]


@contextmanager
def counted(metric: MetricWrapperBase, suffix: str = "_total") -> Iterator["Counter[Sample]"]:
    """Filled at the end of the block: by the values of its labels, what has been added in it."""
    before, added = _samples(metric, suffix), Counter[Sample]()
    yield added
    after = _samples(metric, suffix)
    added.update({labels: after[labels] - before.get(labels, 0) for labels in after})
    for labels in [labels for labels, count in added.items() if not count]:
        del added[labels]


def _samples(metric: MetricWrapperBase, suffix: str) -> dict[Sample, int]:
    samples = (sample for family in metric.collect() for sample in family.samples)
    return {
        tuple(sample.labels.values()): int(sample.value) for sample in samples if sample.name.endswith(suffix)
    }
