"""Filters that the theme has, under the names that people see elsewhere."""

from typing import Any

from unfold.contrib.filters.admin import RangeDateTimeFilter


class TimeFilter(RangeDateTimeFilter):  # type: ignore[misc]  # the theme ships no types
    """From one moment to another, in UTC."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.title = "time (UTC)"
