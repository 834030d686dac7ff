"""The Safety Net's verbs, for tasks, commands and pages."""

from safetynet.acting import PollReport
from safetynet.exemptions import ExemptionRefused, end_exemption, exempt
from safetynet.exits import exit_guard, part, settle
from safetynet.ownership import OwnershipAnswer, is_core_managed
from safetynet.poll import poll
from safetynet.status import Status, status
from trading import execution
from trading.execution import Owner

__all__ = [
    "ExemptionRefused",
    "OwnershipAnswer",
    "PollReport",
    "Status",
    "end_exemption",
    "exempt",
    "exit_guard",
    "is_core_managed",
    "poll",
    "register_settlement",
    "status",
]


def register_settlement() -> None:
    """Safety exits are settled here, and here it is known what each of them is about."""
    execution.register_settlement(Owner.SAFETY_NET, settle)
    execution.register_part(Owner.SAFETY_NET, part)
