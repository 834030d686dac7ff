"""The admin as a whole: what needs both Core's and the Safety Net's view of things, and what others bring."""

from robson.admin import accounts, guards, people, positions, schedule, site
from robson.alarms import admin as alarms

__all__ = ["accounts", "alarms", "guards", "people", "positions", "schedule", "site"]
