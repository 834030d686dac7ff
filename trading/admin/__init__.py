"""Core in Django's admin: arm, disarm, close; everything that happened can be read and not changed.

Positions and accounts concern the Safety Net as well: the project registers them.
"""

from trading.admin import history

__all__ = ["history"]
