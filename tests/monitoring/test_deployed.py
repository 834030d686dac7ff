"""Dashboard, alert rules and documentation are about metrics that there are, with labels that they have."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.conf import settings

from robson import health
from robson.local import paths
from robson.scrape import Scrape
from tests.containers.compose import resolved, services
from tests.monitoring.conftest import DEPLOYED
from tests.monitoring.expressions import Expression, parse
from trading.domain.events import EventKind

DOCUMENTATION = paths.PROJECT_DIR / "docs" / "monitoring.md"
# Prometheus's own: whether a scrape went well.
UP = {"up": {"job", "instance"}}
_OWN = ("robson_", "safety_net_")
_IN_TEXT = re.compile(r"\{\{\s*\$?(?:labels\.)?([a-z_]+)[^}]*\}\}")


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOYED / name).read_text(encoding="utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in load("alerts.yml")["groups"] for rule in group["rules"]]


def targets(dashboard: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(panel, expression, legend)"""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]


def labels_of(scrape: Scrape) -> dict[str, set[str]]:
    """The labels of each metric that was told, by its name in expressions."""
    found: dict[str, set[str]] = dict(UP)
    for family in scrape.families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def assert_about_what_there_is(expression: Expression, known: dict[str, set[str]], where: str) -> None:
    assert expression.metrics, where
    assert expression.metrics <= known.keys(), f"{where}: {expression.metrics - known.keys()} is not told"
    having = set.union(*(known[metric] for metric in expression.metrics))
    assert expression.grouped <= having, f"{where}: no metric has {expression.grouped - having}"
    for metric, label, operator, value in expression.selected:
        assert label in known[metric], f"{where}: {metric} has no label {label}"
        if label == "kind" and operator == "=":
            assert value in set(EventKind), f"{where}: no event is called {value}"


def test_alerts_are_about_metrics_that_there_are(scrape: Scrape) -> None:
    known = labels_of(scrape)
    for rule in rules():
        expression = parse(rule["expr"])
        assert_about_what_there_is(expression, known, rule["alert"])
        having = set.union(*(known[metric] for metric in expression.metrics)) | {"value"}
        named = set(_IN_TEXT.findall(rule["annotations"]["summary"]))
        assert named <= having, f"{rule['alert']}: {named - having}"


def test_every_alert_says_what_is_wrong_and_where_to_read_on() -> None:
    anchors = {
        heading.lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", DOCUMENTATION.read_text(encoding="utf-8"), re.MULTILINE)
    }
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        annotations = rule["annotations"]
        assert len(annotations["summary"]) > 10, rule["alert"]
        assert annotations["description"].endswith("."), rule["alert"]
        file, _, anchor = annotations["runbook"].partition("#")
        assert (paths.PROJECT_DIR / file, anchor) == (DOCUMENTATION, rule["alert"].lower())
        assert anchor in anchors
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert re.fullmatch(r"[0-9]+[sm]", rule.get("for", "0s"))


def test_the_dashboard_is_about_metrics_that_there_are(scrape: Scrape, dashboard: dict[str, Any]) -> None:
    known = labels_of(scrape)
    for panel, text, legend in targets(dashboard):
        expression = parse(text)
        assert_about_what_there_is(expression, known, panel)
        having = set.union(*(known[metric] for metric in expression.metrics))
        assert set(_IN_TEXT.findall(legend)) <= having, panel


def test_the_dashboard_is_laid_out_without_overlaps(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or len(panel["description"]) > 10, panel["title"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_metric_is_explained(scrape: Scrape) -> None:
    explained = set(re.findall(r"`([a-z_]+)(?:\{[^`]*\})?`", DOCUMENTATION.read_text(encoding="utf-8")))
    told = {family.name for family in scrape.families if family.name.startswith(_OWN)}
    counters = {family.name for family in scrape.families if family.type == "counter"}
    names = {f"{name}_total" if name in counters else name for name in told}
    assert names - explained == set()
    assert {name for name in explained if name.startswith(_OWN)} - names == set()


def test_prometheus_asks_where_robson_answers_and_waits_long_enough() -> None:
    config = load("prometheus.yml")
    (job,) = config["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    host, port = target.split(":")
    web = services()["web"]
    assert f"127.0.0.1:8000:{port}" in web["ports"]
    assert host in resolved(web["environment"]["ROBSON_ALLOWED_HOSTS"], {}).split(",")
    assert job["job_name"] == "robson"
    connect_s = settings.DATABASES["default"]["OPTIONS"]["connect_timeout"]
    longest = health.BROKER_ANSWERS_S + 2 * (connect_s + health.DATABASE_ANSWERS_S)
    assert int(config["global"]["scrape_timeout"].removesuffix("s")) > longest
    assert all((DEPLOYED / file).exists() for file in config["rule_files"])


@pytest.mark.parametrize(
    "nonsense",
    ["sum(robson_ready", "smu(robson_ready)", "robson_ready{part=database}", "rate(robson_events_total[5x])"],
)
def test_an_expression_that_makes_no_sense_is_found(nonsense: str) -> None:
    with pytest.raises(AssertionError):
        parse(nonsense)


def test_an_expression_about_nothing_is_found(scrape: Scrape) -> None:
    known = labels_of(scrape)
    for wrong in (
        "robson_redy == 0",
        'robson_ready{prat="x"}',
        'robson_events_total{kind="position.opened"}',
    ):
        with pytest.raises(AssertionError):
            assert_about_what_there_is(parse(wrong), known, wrong)
