"""Core in Django's admin: arm, disarm, close; everything that happened can be read and not changed."""

from trading.admin import account, history, position

__all__ = ["account", "history", "position"]
