"""How positions look on a terminal: a table where it fits, cards where it does not."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from robson.holdings import Holding
from trading.domain.rounding import to_wire
from trading.management import screen

LOUD = "bold white on red"
STYLES = {
    "error": "bold red",
    "exiting": "yellow",
    "entering": "yellow",
    "active": "green",
    "guarding": "cyan",
}
# Who protects a position takes at least this much where the column has to be broken.
PROTECTOR_WIDTH = 28


Cell = Callable[[Holding], str | Text]


@dataclass(frozen=True, slots=True)
class Column:
    """`spare` 0 is never left out; the highest goes first where there is little room, `short` comes last."""

    title: str
    cell: Cell
    right: bool = False
    spare: int = 0
    short: Cell | None = None


@dataclass(frozen=True)
class HoldingsView:
    """These positions. `history`: ended ones are among them."""

    found: Sequence[Holding]
    several_accounts: bool = False
    history: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for table in self._tables():
            if screen.fits(table, console):
                yield table
                return
        for one in self.found:
            yield from _card(one)

    def _tables(self) -> Iterator[Table]:
        """The same with less and less."""
        columns = _columns(several_accounts=self.several_accounts, history=self.history)
        for spare in range(max(column.spare for column in columns), -1, -1):
            left = [column for column in columns if column.spare <= spare]
            if not spare:
                left = [replace(column, cell=column.short or column.cell) for column in left]
            yield _table(self.found, left, protector_width=None)
            yield _table(self.found, left, protector_width=PROTECTOR_WIDTH)


def loudest_first(found: Iterable[Holding]) -> list[Holding]:
    """What nobody would close at its stop comes before all else."""
    return sorted(found, key=lambda one: not is_loud(one))


def is_loud(one: Holding) -> bool:
    return one.exposed and bool(one.unprotected_because)


def alarm(found: Iterable[Holding]) -> Text | None:
    """One line, if anything is without protection."""
    loud = [one for one in found if is_loud(one)]
    if not loud:
        return None
    names = ", ".join(f"{one.symbol} {one.side}" for one in loud)
    text = f"{len(loud)} without protection, nobody would close at the stop: {names}"
    return Text(f" {text} ", style=LOUD)


def _columns(*, several_accounts: bool, history: bool) -> list[Column]:
    account = [Column("account", lambda one: one.account)] if several_accounts else []
    ended = [
        Column("exit", lambda one: _amount(one.exit_price), right=True),
        Column("profit", lambda one: _gain(one.profit), right=True),
    ]
    return [
        Column("", lambda one: f"{one.kind} {one.id}"),
        *account,
        Column("symbol", lambda one: one.symbol),
        Column("side", lambda one: one.side),
        Column("state", lambda one: Text(one.state, style=STYLES.get(one.state, ""))),
        Column("quantity", lambda one: _amount(one.quantity), right=True, spare=1),
        Column("entry", lambda one: _amount(one.entry_price), right=True, spare=1),
        Column("stop", lambda one: _amount(one.stop_price), right=True),
        Column("distance", partial(_share, "distance"), right=True, spare=2),
        Column("price (age)", _price, right=True),
        Column("to stop", partial(_share, "to_stop"), right=True, short=_room),
        Column("unrealised", lambda one: _gain(one.unrealised), right=True),
        *(ended if history else []),
        Column("protected by", _protector),
        Column("since (UTC)", lambda one: f"{one.since:%Y-%m-%d %H:%M}", spare=3),
    ]


def _table(found: Iterable[Holding], columns: Sequence[Column], *, protector_width: int | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        broken = column.cell is _protector
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not broken,
            max_width=protector_width if broken else None,
        )
    for one in found:
        cells = [screen.text(column.cell(one)) for column in columns]
        if is_loud(one):
            # Red on red could not be read.
            cells = [Text(cell.plain, style=LOUD) for cell in cells]
        table.add_row(*cells, style=LOUD if is_loud(one) else "")
    return table


def _card(one: Holding) -> Iterator[RenderableType]:
    title = Text(f"{one.kind} {one.id}  {one.symbol} {one.side} ", style="bold")
    title.append(one.state, style=STYLES.get(one.state, ""))
    yield title.append(f" ({one.account})")
    for line in _card_lines(one):
        yield screen.indented(line)
    yield screen.indented(Text(_protector(one), style=LOUD if is_loud(one) else ""))


def _card_lines(one: Holding) -> Iterator[Text]:
    if one.entry_price is not None:
        yield Text(f"{_amount(one.quantity)} from {_amount(one.entry_price)}, stop {_amount(one.stop_price)}")
    if one.price is not None:
        room = f", {_share('to_stop', one)} to the stop" if one.to_stop is not None else ""
        yield Text(f"price {_price(one)}{room}")
    if one.unrealised is not None:
        yield Text("unrealised ").append(_gain(one.unrealised))
    if one.exit_price is not None:
        profit = _gain(one.profit) if one.profit is not None else Text("not known")
        fees = "before" if one.kind == "guard" else "after"
        yield Text(f"out at {_amount(one.exit_price)}, profit {fees} fees ").append(profit)


def _protector(one: Holding) -> str:
    return ", ".join(filter(None, (one.protected_by, one.note)))


def _price(one: Holding) -> str:
    if one.last is None:
        return ""
    source = "" if one.last.source == "stream" else f", {one.last.source}"
    return f"{_amount(one.last.price)} ({age(one.last.age_s)}{source})"


def age(seconds: float) -> str:
    """How long ago, as short as can be."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _share(name: str, one: Holding) -> str:
    """An amount with its percentage."""
    amount, percent = getattr(one, name), getattr(one, f"{name}_percent")
    return _amount(amount) + (f" ({percent:.2f} %)" if percent is not None else "")


def _room(one: Holding) -> str:
    return "" if one.to_stop_percent is None else f"{one.to_stop_percent:.2f} %"


def _gain(amount: Decimal | None) -> Text:
    if amount is None:
        return Text("")
    # A gain in BTC is small and not nothing.
    shown = round(amount, 2) if abs(amount) >= 1 else Decimal(f"{amount:.3g}")
    return Text(f"{'+' if amount > 0 else ''}{to_wire(shown)}", style="green" if amount >= 0 else "red")


def _amount(value: Decimal | None) -> str:
    return "" if value is None else to_wire(round(value, 8))
