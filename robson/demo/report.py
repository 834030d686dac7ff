"""What the exchange's own ledger and the database say about a demo run."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from robson.demo import tally
from robson.demo.stage import Stage
from robson.scrape import Scrape
from safetynet.models import GuardedPosition, PollState
from trading.domain.client_ids import parse_client_id
from trading.models import Event, OrderIntent, Position
from trading.models.intent import Purpose

Report = dict[str, Any]


def write_down(stage: Stage, position: Position, guard: GuardedPosition) -> Report:
    """Positions, exits per position, violations, debts, polls, and latencies in milliseconds."""
    orders, ledger = stage.exchange.orders(), stage.exchange.ledger()
    exits = {order["symbol"]: order for order in orders if _is_exit(order)}
    report: Report = {
        "positions": [
            {
                "modality": "core",
                "symbol": position.slot.symbol,
                "side": position.slot.side,
                "state": position.state,
            },
            {
                "modality": "safety_net",
                "symbol": guard.slot.symbol,
                "side": guard.slot.side,
                "state": guard.state,
            },
        ],
        "exits": {symbol: _exits(orders, symbol) for symbol in (position.slot.symbol, guard.slot.symbol)},
        "violations": ledger["violations"],
        "leftover_debts": ledger["leftover_debts"],
        "open_positions": _open_positions(ledger),
        "polls": PollState.objects.get().polls,
        "events": Event.objects.count(),
        "metrics": _metrics(stage, guard),
        "latency_ms": {
            "core_price_published_to_order": _core_latency(stage, position, exits),
            "safety_net_exit_requested_to_order": _safety_latency(guard, exits),
        },
    }
    report["held"] = not problems(report)
    return report


def problems(report: Report) -> list[str]:
    """What did not hold, in sentences. Empty when all of it did."""
    found = [f"{symbol} was closed {count} times" for symbol, count in report["exits"].items() if count != 1]
    found += [f"the exchange reports a violation: {one}" for one in report["violations"]]
    found += [f"a debt is left: {one}" for one in report["leftover_debts"]]
    found += [f"a position is still open: {one}" for one in report["open_positions"]]
    found += [
        f"{one['symbol']} ({one['modality']}) ended as {one['state']}"
        for one in report["positions"]
        if one["state"] != "closed"
    ]
    if report["polls"] < 2:
        found.append(f"only {report['polls']} polls have run")
    return [*found, *report["metrics"]["differences"]]


def _metrics(stage: Stage, guard: GuardedPosition) -> dict[str, Any]:
    """Totals over all processes, and where they are not what the database says or polls must have seen."""

    def read() -> str:
        return tally.over_http(stage.metrics_url)

    differences = tally.lasting_differences(read, within_s=5.0, wait=stage.tend)
    scrape = Scrape(read())
    skipped = scrape.by("safety_net_positions_skipped_total", "reason")
    monitored = scrape.by("safety_net_positions_monitored_total", "symbol")
    if set(skipped) != {("core_managed",)}:
        differences.append(f"polls have skipped {skipped}, but for Core's position")
    if set(monitored) != {(guard.slot.symbol,)}:
        differences.append(f"polls have monitored {monitored}, but for the owner's {guard.slot.symbol}")
    return {
        "events": {kind: count for (kind,), count in scrape.by("robson_events_total", "kind").items()},
        "polls_that_skipped_core": skipped.get(("core_managed",), 0),
        "polls_that_monitored": {symbol: count for (symbol,), count in monitored.items()},
        "differences": differences,
    }


def _exits(orders: list[dict[str, Any]], symbol: str) -> int:
    return sum(1 for order in orders if order["symbol"] == symbol and _is_exit(order) and _executed(order))


def _executed(order: Mapping[str, Any]) -> bool:
    return Decimal(order["executed"]) > 0


def _is_exit(order: Mapping[str, Any]) -> bool:
    name = parse_client_id(order["client_order_id"])
    return name is not None and name.purpose == "exit"


def _open_positions(ledger: Mapping[str, Any]) -> list[str]:
    pairs = [pair for account in ledger["accounts"] for pair in account["pairs"]]
    return [f"{pair['symbol']} {pair['side']} {pair['position']}" for pair in pairs if pair["side"] != "flat"]


def _core_latency(stage: Stage, position: Position, exits: Mapping[str, Any]) -> float | None:
    """From the touching price's publication to the order's arrival, both by the simulator's clock."""
    order = exits.get(position.slot.symbol)
    intent = OrderIntent.objects.get(position=position, purpose=Purpose.EXIT)
    prints = stage.exchange.call("GET", f"prices?symbol={position.slot.symbol}")
    touching = [p for p in prints if Decimal(p["price"]) == intent.trigger_price and order]
    before = [p for p in touching if p["published_ns"] <= order["received_ns"]] if order else []
    if order is None or not before:
        return None
    return float(round((order["received_ns"] - min(p["published_ns"] for p in before)) / 1e6, 3))


def _safety_latency(guard: GuardedPosition, exits: Mapping[str, Any]) -> float | None:
    """From the committed exit request to the order's arrival, both by this machine's clock."""
    order = exits.get(guard.slot.symbol)
    requested = Event.objects.filter(guard_id=guard.pk, kind="guard.exit_requested").first()
    if order is None or requested is None:
        return None
    return float(round(order["received_wall_ns"] / 1e6 - requested.at.timestamp() * 1e3, 3))
