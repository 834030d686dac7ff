"""The rows of the project itself. Positions, orders and events are in `trading` and `safetynet`."""

from robson.alarms.models import Alarm, Telling

__all__ = ["Alarm", "Telling"]
