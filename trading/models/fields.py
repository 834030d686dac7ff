"""Column types shared by all tables of money."""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    _Decimal = models.DecimalField[Any, Any]
else:
    _Decimal = models.DecimalField


class Amount(_Decimal):
    """A price, quantity or amount: exact, 18 digits before the point and 12 after it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 30)
        kwargs.setdefault("decimal_places", 12)
        super().__init__(*args, **kwargs)


def choices(values: type[Any]) -> list[tuple[str, str]]:
    """Admin choices of a StrEnum, as people read them."""
    return [(str(value), str(value).replace("_", " ").capitalize()) for value in values]
