"""/metrics, read as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """One answer of /metrics: `value("robson_ready", part="consumer")`."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        samples = (sample for family in self.families for sample in family.samples)
        self._samples = {(one.name, frozenset(one.labels.items())): float(one.value) for one in samples}

    def value(self, name: str, **labels: str) -> float:
        """Raises KeyError for what is not there."""
        return self._samples[name, frozenset(labels.items())]

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Samples of this name by the values of these labels, summed over the rest; none that are nought."""
        found: dict[tuple[str, ...], float] = {}
        for (sample, pairs), value in self._samples.items():
            if sample == name and value:
                key = tuple(dict(pairs)[label] for label in labels)
                found[key] = found.get(key, 0.0) + value
        return found
