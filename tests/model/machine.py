"""The whole machine: everybody, in any order."""

from tests.model.beginning import Beginning
from tests.model.outside_rules import OwnerRules, TroubleRules
from tests.model.robson_rules import CoreRules, RecoveryRules
from tests.model.stage import Stage


class Protocol(CoreRules, RecoveryRules, OwnerRules, TroubleRules):
    """Begins where something is at stake already."""

    def __init__(self, stage: Stage, beginning: Beginning) -> None:
        super().__init__(stage)
        beginning.copy_into(self.world)
        self.consumer_works()
