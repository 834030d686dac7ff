"""`robson arm BTCUSDT`: from now on a crossover opens a position."""

import argparse
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from rich.text import Text

from trading import operations, startup
from trading.arming import ArmOrder, Preview
from trading.domain.rounding import to_wire
from trading.domain.stops import StopKind, StopPolicy
from trading.domain.types import Side
from trading.management.owner import (
    USAGE,
    OwnerCommand,
    above_zero,
    account_named,
    who,
    whole_above_zero,
)
from trading.models import Account, Heartbeat
from trading.models.position import INTERVALS

CONSUMER = "consumer"
CONSUMER_SILENT_S = 30


class Command(OwnerCommand):
    help = "Arm a symbol: its next moving-average crossover opens a position with a trailing stop."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("symbol", type=str.upper, help="for example BTCUSDT")
        parser.add_argument("--side", choices=[str(side) for side in Side], default=str(Side.LONG))
        parser.add_argument("--capital", type=above_zero, help="in quote currency (default: the account's)")
        parser.add_argument("--risk", type=above_zero, help="percent of the capital to lose at the stop")
        parser.add_argument("--fast", type=whole_above_zero, default=9, metavar="N", help="fast average (9)")
        parser.add_argument(
            "--slow", type=whole_above_zero, default=21, metavar="N", help="slow average (21)"
        )
        parser.add_argument("--interval", choices=INTERVALS, default="15m", help="length of a candle (15m)")
        stop = parser.add_mutually_exclusive_group()
        stop.add_argument("--stop-percent", type=above_zero, metavar="PERCENT", help="of the entry price (2)")
        stop.add_argument("--stop-distance", type=above_zero, metavar="AMOUNT", help="in quote currency")
        stop.add_argument("--stop-atr", type=above_zero, metavar="MULTIPLE", help="of the ATR(14)")
        parser.add_argument("--activation", type=above_zero, metavar="PRICE", help="trail from this price on")
        parser.add_argument("--trailing-bps", type=whole_above_zero, help="trail by basis points instead")
        parser.add_argument("--dry-run", action="store_true", help="only show what would happen")

    def act(self, options: argparse.Namespace) -> None:
        account = account_named(options.account, create=not options.dry_run)
        startup.require_exchange([account])
        order = _order(options)
        with self.working(f"asking the exchange about {order.symbol}"):
            expected = operations.preview(account=account, order=order)
            armed = None if options.dry_run else operations.arm(account=account, order=order, by=who())
        self._report(options, account, order, expected, position_id=armed.pk if armed else None)

    def _report(
        self,
        options: argparse.Namespace,
        account: Account,
        order: ArmOrder,
        expected: Preview,
        position_id: int | None,
    ) -> None:
        if options.json:
            self.print_json(_as_json(account, order, expected, position_id))
            return
        if position_id is None:
            self.say(f"Nothing was armed (dry run). {order.symbol} {order.side} would mean:")
        else:
            self.say(f"Armed {order.symbol} {order.side} as position {position_id}.")
        self.show_facts(_prospect(account, order, expected))
        if position_id is not None:
            self.say(f"Take it back with `robson disarm {position_id}`; watch it with `robson positions`.")
            self._warn_if_nobody_watches()

    def _warn_if_nobody_watches(self) -> None:
        beat = Heartbeat.objects.filter(name=CONSUMER).first()
        if beat is None or (timezone.now() - beat.at).total_seconds() > CONSUMER_SILENT_S:
            self.stderr.write("Nobody watches prices: the consumer is not running. Start it with `make run`.")


def _order(options: argparse.Namespace) -> ArmOrder:
    if options.fast >= options.slow:
        text = f"--fast {options.fast} must be below --slow {options.slow}; try --fast 9 --slow 21."
        raise CommandError(text, returncode=USAGE)
    return ArmOrder(
        symbol=options.symbol,
        side=Side(options.side),
        capital=options.capital,
        risk_percent=options.risk,
        fast_period=options.fast,
        slow_period=options.slow,
        interval=options.interval,
        stop=_stop(options),
        activation_price=options.activation,
        trailing_bps=options.trailing_bps,
    )


def _stop(options: argparse.Namespace) -> StopPolicy:
    if options.stop_distance:
        return StopPolicy(StopKind.DISTANCE, options.stop_distance)
    if options.stop_atr:
        return StopPolicy(StopKind.ATR, options.stop_atr)
    return StopPolicy(StopKind.PERCENT, options.stop_percent or Decimal(2))


def _prospect(account: Account, order: ArmOrder, expected: Preview) -> list[tuple[Text, str]]:
    capital = to_wire(order.capital or account.capital)
    crosses = "crosses above" if order.side is Side.LONG else "crosses below"
    averages = f"SMA {order.fast_period} {crosses} SMA {order.slow_period}"
    facts = {
        "entry": f"when {averages} on closed {order.interval} candles",
        "size": f"{to_wire(expected.quantity)} at the present price of {to_wire(expected.price)}",
        "stop": f"{_price(expected.stop_price)}, {_price(expected.distance)} away, then trailing",
        "loss": f"{expected.loss_at_stop:.2f} at the stop, fees included, out of {capital} ({account.name})",
    }
    return [(Text(name, style="bold"), what) for name, what in facts.items()]


def _price(amount: Decimal) -> str:
    return to_wire(round(amount, 8))


def _as_json(account: Account, order: ArmOrder, expected: Preview, position_id: int | None) -> dict[str, Any]:
    return {
        "position_id": position_id,
        "account": account.name,
        "symbol": order.symbol,
        "side": order.side,
        "armed": position_id is not None,
        "expected": asdict(expected),
    }
