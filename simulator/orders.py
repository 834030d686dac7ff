"""Orders and their fills."""

from dataclasses import dataclass, field
from decimal import Decimal

from simulator.ledger import ZERO

SIDES = ("BUY", "SELL")
LIMIT_TYPES = ("LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
TRIGGERED_TYPES = ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
ORDER_TYPES = ("MARKET", *LIMIT_TYPES, "STOP_LOSS", "TAKE_PROFIT")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")
RESPONSE_TYPES = ("ACK", "RESULT", "FULL")
SIDE_EFFECTS = ("NO_SIDE_EFFECT", "MARGIN_BUY", "AUTO_REPAY", "AUTO_BORROW_REPAY")
BORROWING = ("MARGIN_BUY", "AUTO_BORROW_REPAY")
REPAYING = ("AUTO_REPAY", "AUTO_BORROW_REPAY")
SELF_TRADE_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
LIVE = ("NEW", "PARTIALLY_FILLED")


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A well-formed wish. Prices in quote currency, `quantity` in base, `quote_quantity` in quote."""

    symbol: str
    side: str
    type: str
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = "GTC"
    client_order_id: str | None = None
    response_type: str | None = None
    side_effect: str = "NO_SIDE_EFFECT"
    repay_at_cancel: bool = True
    self_trade_mode: str = "EXPIRE_MAKER"

    @property
    def is_triggered(self) -> bool:
        """Waits for a stop price before it works."""
        return self.type in TRIGGERED_TYPES

    @property
    def is_market(self) -> bool:
        """Takes whatever price the book has, at once or once triggered."""
        return self.type not in LIMIT_TYPES


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade. Price in quote currency, quantity in base, commission in `commission_asset`."""

    trade_id: int
    order_id: int
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool
    time_ms: int


@dataclass(slots=True, eq=False)
class Order:
    """An accepted order. `received_ns` is the monotonic, `received_wall_ns` the wall clock at its arrival.

    `reserved` is what it still has locked (base currency for a SELL, quote for a BUY); `loan` what it
    borrowed, in the asset it spends.
    """

    order_id: int
    api_key: str
    request: OrderRequest
    client_order_id: str
    quantity: Decimal
    time_ms: int
    by_hand: bool
    received_ns: int
    received_wall_ns: int
    status: str = "NEW"
    executed: Decimal = ZERO
    quote_executed: Decimal = ZERO
    reserved: Decimal = ZERO
    loan: Decimal = ZERO
    loan_asset: str = ""
    update_ms: int = 0
    working_ms: int = 0
    is_working: bool = False
    cancel_client_order_id: str = ""
    fills: list[Fill] = field(default_factory=list)

    @property
    def symbol(self) -> str:
        """The pair it trades."""
        return self.request.symbol

    @property
    def side(self) -> str:
        """BUY or SELL."""
        return self.request.side

    @property
    def remaining(self) -> Decimal:
        """Base quantity not executed yet."""
        return self.quantity - self.executed

    @property
    def is_live(self) -> bool:
        """Still open."""
        return self.status in LIVE
